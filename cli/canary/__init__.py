"""The canary role: sends a trip every few seconds and measures whether and when it gets through."""
