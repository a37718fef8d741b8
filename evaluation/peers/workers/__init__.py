"""Peers that run in a Python of their own. Each module here imports the standard library and what its peer needs, never yingda."""
