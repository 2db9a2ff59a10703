"""Floor 6: the study of what batch norm changes."""
