"""Who owns a save_dir: the claim, the heartbeat, the archive."""
