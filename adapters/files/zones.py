"""The zones table: where the centroid of each taxi zone lies."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.entities.trips import Floats
from domain.errors import InvalidInput, WrongColumns

_COLUMNS = ("location_id", "latitude", "longitude")
_LARGEST_ZONE = 65_535


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Centroids in degrees, indexed by zone number; NaN where a zone has none or there is no such zone."""

    latitude: Floats
    longitude: Floats

    def centroid(self, zone: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude, each of shape (n,), of zone numbers given as floats, NaN and infinity included."""
        known = np.isfinite(zone) & (zone >= 0) & (zone < len(self.latitude))
        number = np.where(known, zone, 0).astype(np.intp)
        return np.where(known, self.latitude[number], np.nan), np.where(known, self.longitude[number], np.nan)


def read_zones(path: Path) -> Zones:
    """Read a table with the columns location_id, latitude, longitude. Raises InvalidInput or WrongColumns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
                raise WrongColumns(f"{path} is not a zones table; it lacks the columns: {', '.join(missing)}")
            return _zones(list(reader))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise InvalidInput(f"{path} is not a zones table: {error}") from error


def _zones(rows: list[dict[str, str]]) -> Zones:
    centroids = [(int(row["location_id"]), _degrees(row["latitude"]), _degrees(row["longitude"])) for row in rows]
    largest = max((number for number, _, _ in centroids), default=0)
    if not 0 <= largest <= _LARGEST_ZONE:
        raise ValueError(f"zone number {largest} is outside 0 to {_LARGEST_ZONE}")
    latitude, longitude = np.full(largest + 1, np.nan), np.full(largest + 1, np.nan)
    for number, north, east in centroids:
        latitude[number], longitude[number] = north, east
    return Zones(latitude, longitude)


def _degrees(cell: str) -> float:
    return float(cell) if cell.strip() else np.nan
