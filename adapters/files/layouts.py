"""The layouts of trip files that we know, told apart by their columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.errors import InvalidInput, WrongColumns


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a layout keeps what. A place is two columns (latitude, longitude) or one (a zone's number).

    `vendor`, `passengers`, `trip_id` and `duration_seconds` may be absent. `told_apart_by`: further columns that, with the
    others, make a row without an id recognisable.
    """

    name: str
    vendor: str | None
    passengers: str | None
    pickup_at: str
    dropoff_at: str
    pickup: tuple[str, ...]
    dropoff: tuple[str, ...]
    trip_id: str | None = None
    duration_seconds: str | None = None
    told_apart_by: tuple[str, ...] = ()

    @property
    def has_zones(self) -> bool:
        """Whether places are zones, so that a zones table is needed."""
        return len(self.pickup) == 1

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        named = (self.trip_id, self.vendor, self.passengers, self.pickup_at, self.dropoff_at, self.duration_seconds)
        read = (*(name for name in named if name), *self.pickup, *self.dropoff, *self.told_apart_by)
        return tuple(dict.fromkeys(read))  # one column may mean two things


def _tlc(name: str, prefix: str) -> Layout:
    return Layout(
        name=name,
        vendor="VendorID",
        passengers="passenger_count",
        pickup_at=f"{prefix}_pickup_datetime",
        dropoff_at=f"{prefix}_dropoff_datetime",
        pickup=("PULocationID",),
        dropoff=("DOLocationID",),
        told_apart_by=("trip_distance", "total_amount"),
    )


LAYOUTS = (
    Layout(
        name="nyc_trip_duration",
        trip_id="id",
        vendor="vendor_id",
        passengers="passenger_count",
        pickup_at="pickup_datetime",
        dropoff_at="dropoff_datetime",
        pickup=("pickup_latitude", "pickup_longitude"),
        dropoff=("dropoff_latitude", "dropoff_longitude"),
        duration_seconds="trip_duration",
    ),
    _tlc("yellow", "tpep"),
    _tlc("green", "lpep"),
)


def layout_of(path: Path, columns: Sequence[str], own: Layout | None = None) -> Layout:
    """The layout whose columns the file has; `own` is one that somebody has described, and goes before ours.

    Raises WrongColumns, naming them, when a layout's columns are incomplete; InvalidInput when it is no trips file at all.
    """
    layouts = (own, *LAYOUTS) if own else LAYOUTS
    nearest = max(layouts, key=lambda layout: _nearness(layout, columns))
    missing = [column for column in nearest.columns if column not in columns]
    if len(missing) == len(nearest.columns):
        names = ", ".join(layout.name for layout in layouts)
        hint = "" if own else "; TRIPCAST_TRIP_COLUMNS says what other columns mean"
        raise InvalidInput(f"{path} is not a trips file: it has none of the columns of the layouts {names}{hint}")
    if missing:
        raise WrongColumns(f"{path} looks like the layout {nearest.name} but lacks the columns: {', '.join(missing)}")
    return nearest


def _nearness(layout: Layout, columns: Sequence[str]) -> tuple[bool, int]:
    found = len(set(layout.columns) & set(columns))
    return found == len(set(layout.columns)), found
