"""Fully connected layers with few outputs; the others are convolutions of one pixel."""
