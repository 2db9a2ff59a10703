"""Recurrent layers: the products of all time steps, and the steps themselves, fused with their gates."""
