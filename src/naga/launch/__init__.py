"""Executors: where the points of a sweep come to run. They know nothing of runs: a point is a plain dict."""
