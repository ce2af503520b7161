"""One file a command (or group of commands); bodies are shells around a use case."""
