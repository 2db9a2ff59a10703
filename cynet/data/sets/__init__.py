"""Data sets from their files: the published ones, and those of NumPy. Nothing in a file is believed."""
