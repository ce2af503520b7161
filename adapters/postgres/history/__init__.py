"""Trips in bulk: loaded from files, and read again by trainings, checks and samples."""
