"""Running a recorded run again, from its folder and the repository alone, with a verdict for each output."""
