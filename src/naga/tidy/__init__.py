"""Making room. Nothing else in Naga deletes a run."""
