"""What a run read and what it left: inputs, outputs and upstream runs, each by hash."""
