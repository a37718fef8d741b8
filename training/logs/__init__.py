"""Labelled messages from a shop's own logs: imported, masked, checked and kept as versioned datasets."""
