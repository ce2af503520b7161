"""`tripcast prepare`: make the servers of a deployment ready, once or as often as one likes."""
