"""One diag over many runs."""
