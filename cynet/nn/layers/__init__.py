"""The layers, one to a file."""
