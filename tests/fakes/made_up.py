"""The made-up city's map and clock, and numbers that move with it."""

import math
from datetime import UTC, datetime, timedelta

from schemas.http.base import Period, Point

SOUTH, NORTH, WEST, EAST, STEP, COLUMNS = 40.5, 41.0, -74.3, -73.7, 0.05, 12
SECONDS: dict[Period, int] = {"5m": 300, "15m": 900, "1h": 3600, "24h": 86_400, "all": 604_800}
SPEED = 60  # of event time against wall time
EPOCH = datetime(2026, 3, 2, 7, tzinfo=UTC)


def wave(at: float, period: float, low: float, high: float, salt: int = 0) -> float:
    """Between low and high, smooth, with a little repeatable noise."""
    noise = math.sin(at * 12.9898 + salt * 78.233) * 43758.5453
    mixed = 0.85 * (0.5 + 0.5 * math.sin(2 * math.pi * at / period + salt)) + 0.15 * (noise - math.floor(noise))
    return low + (high - low) * mixed


def cell(point: Point) -> int:
    return int((point.latitude - SOUTH) / STEP) * COLUMNS + int((point.longitude - WEST) / STEP)


def wall(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def event(at: float) -> datetime:
    return EPOCH + timedelta(seconds=(at - 1_790_000_000) % 20_000 * SPEED)
