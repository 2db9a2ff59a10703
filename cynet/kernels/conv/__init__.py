"""Convolution: its loops, and an algorithm beside each, one of which is chosen for a problem."""
