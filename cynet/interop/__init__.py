"""Floor 3: files that other programs read and write."""
