"""Soft-max, cross-entropy and squared error."""
