"""Misuse: risk scores with their reasons, what is held because of them, and how people decide."""
