"""The rivals, each a process of its own in .venv-rivals: the same events, the same model, tables of the same shape."""
