"""Times on the command line."""

from datetime import UTC, datetime

from domain.errors import InvalidInput


def aware(time: datetime | None) -> datetime | None:
    """UTC unless the user gave an offset."""
    return time.replace(tzinfo=time.tzinfo or UTC) if time else None


def span_of(text: str) -> tuple[datetime, datetime]:
    """FROM/UNTIL, both RFC 3339, UTC unless they say otherwise. Raises InvalidInput."""
    try:
        first, until = (datetime.fromisoformat(part) for part in text.split("/"))
    except ValueError as error:
        raise InvalidInput(f"{text} is no span such as 2020-03-01T00:00Z/2020-03-02T00:00Z") from error
    return first.replace(tzinfo=first.tzinfo or UTC), until.replace(tzinfo=until.tzinfo or UTC)
