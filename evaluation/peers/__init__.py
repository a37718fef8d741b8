"""Other ways to answer the same messages, measured beside Yingda on the same splits in one run: ``python -m evaluation.peers``."""
