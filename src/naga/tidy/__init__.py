"""Removing runs. Nothing else in Naga deletes a run."""
