"""The read side of the API: what is watched all the time, and the pictures that are made of it."""
