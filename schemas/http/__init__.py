"""The HTTP contract: what is asked of the API and what it answers; the board imports the same types."""
