"""run.lock: its schema, its text, its reading and atomic writing, and who owns the folder that it lies in."""
