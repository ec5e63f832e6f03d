"""The hash of files and folders: one tree hash, its reader and its cache. Knows nothing of runs."""
