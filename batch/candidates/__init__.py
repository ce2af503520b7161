"""The models that compete. A data scientist adds one by adding a file here that holds a `CANDIDATE`; nothing else changes."""
