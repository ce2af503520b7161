"""OpenTelemetry has its home here."""
