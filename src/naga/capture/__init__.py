"""What ran: code, data, environment, outputs."""
