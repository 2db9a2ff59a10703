"""Layers that are run together: training steps, and plans for evaluation."""
