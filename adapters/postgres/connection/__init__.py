"""How a process reaches PostgreSQL: pools, a connection of its own, locks, and what makes them safe."""
