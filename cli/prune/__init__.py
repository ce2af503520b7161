"""What `tripcast prune` is made of."""
