"""Floor 6: how fast and how large kernels, models and processes are, and side by side with PyTorch's."""
