"""The board: Dash in a process of its own, which knows the system through the API alone."""
