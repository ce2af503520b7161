"""What the API tells people and the board, and what it keeps of its own answers."""
