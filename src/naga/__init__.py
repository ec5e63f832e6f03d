"""Compute once, diagnose for ever."""

__version__ = "0.1.0"
