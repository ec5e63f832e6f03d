"""What ran besides the function: code, data, packages, hardware, and what it printed."""
