"""The process environment: settings as values, read once, by name."""
