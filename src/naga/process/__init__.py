"""What this process is: how it was started, who it is, how it ends, and which rank it has."""
