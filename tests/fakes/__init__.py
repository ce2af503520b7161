"""Fakes, named after the adapters that they stand for; proven by the same contract tests."""
