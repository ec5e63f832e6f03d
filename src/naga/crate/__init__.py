"""Runs as one file for others: a Process Run Crate, written without details of the machine, and never trusted."""
