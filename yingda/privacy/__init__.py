"""Personal data over its life: originals sealed, kept no longer than needed, handed out and erased on a person's demand."""
