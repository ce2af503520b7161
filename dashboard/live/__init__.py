"""The page Live: pure functions from a snapshot to what is drawn."""
