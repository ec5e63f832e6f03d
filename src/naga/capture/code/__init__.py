"""What code ran: a snapshot of every repository that the program was imported from, uncommitted changes included."""
