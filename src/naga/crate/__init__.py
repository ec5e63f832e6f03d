"""Runs as one file for others: a Process Run Crate, written without what is its machine's, and opened with distrust."""
