"""Other HTTP services, read with deadlines."""
