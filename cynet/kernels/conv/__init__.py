"""Convolution: its loops, and the Python that chooses among its algorithms and plans them."""
