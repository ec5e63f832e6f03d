"""Publishing one run to MLflow: the diag, its target, what it says, and whether it is fresh."""
