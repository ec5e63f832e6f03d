"""A helper."""

FACTOR = 2
