"""Load, train, evaluate, promote, roll back, verify: what happens beside the stream."""
