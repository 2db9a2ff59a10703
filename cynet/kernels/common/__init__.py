"""What the kernels of several subjects share: vectors, windows, teams of threads, the register block."""
