"""The current process: how it was started, its identity, how it ends, and its rank."""
