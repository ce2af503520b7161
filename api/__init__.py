"""FastAPI: request/response predictions, and everything that people and the board ask of the running system."""
