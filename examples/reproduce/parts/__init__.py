"""Parts of the project."""
