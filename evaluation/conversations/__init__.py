"""Whole conversations: written turns with the outcomes expected, played through the dialogue that serves."""
