"""Measurements of single parts of the engine: speed, memory and what is lost for them."""
