"""The exercises as texts, and their pictures."""
