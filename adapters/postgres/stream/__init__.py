"""What the worker reads and writes: batches with their positions, in one transaction."""
