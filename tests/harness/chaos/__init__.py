"""Faults at a real server, a ledger of what it acknowledged, and a verdict."""
