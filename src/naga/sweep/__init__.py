"""Many runs of one task: which points there are, which are done, and how the others are computed."""
