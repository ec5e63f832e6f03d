"""What a run consists of besides its function: code, data, packages, hardware, and printed output."""
