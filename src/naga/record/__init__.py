"""run.lock: its schema, its text, reading and writing it; the one opener of files in a run's folder."""
