"""Times on the command line."""

from datetime import UTC, datetime


def aware(time: datetime | None) -> datetime | None:
    """UTC unless the user gave an offset."""
    return time.replace(tzinfo=time.tzinfo or UTC) if time else None
