"""Batch normalisation of rows x channels, alone and joined with what follows it."""
