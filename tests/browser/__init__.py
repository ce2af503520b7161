"""The board in a real Chromium, in front of the real system: what a person sees, in each state."""
