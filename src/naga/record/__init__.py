"""run.lock: its schema, its text, its reading and atomic writing; the one opener of files in a run's folder."""
