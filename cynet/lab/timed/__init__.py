"""What `cynet lab time` times, a file an exercise: beside the student's functions the textbook's loop, NumPy,
cynet's kernels, and PyTorch."""
