"""Text in, clean text out: normaliser, language, tokenizer."""
