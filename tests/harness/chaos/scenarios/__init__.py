"""Each fault: what is done, and the checks that can fail."""
