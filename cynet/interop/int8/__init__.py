"""Nets in whole numbers of eight bits: quantised after training, computed to the bit as exported C does."""
