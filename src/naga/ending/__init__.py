"""How a run can end: signals, exceptions, exit codes, and what its function says of itself."""
