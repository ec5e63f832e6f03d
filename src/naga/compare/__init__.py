"""What differs between runs, and between a run and its folder today."""
