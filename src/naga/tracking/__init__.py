"""Everything that knows MLflow: the store, the history of publications, and which of them is active."""
