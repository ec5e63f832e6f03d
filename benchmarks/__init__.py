"""What Naga costs, always as a ratio to a baseline of the same run on the same files."""
