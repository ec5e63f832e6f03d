"""Many runs of one task: the points that were asked for, which of them are done, and how the others come to run."""
