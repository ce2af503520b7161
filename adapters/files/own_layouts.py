"""Read what the columns of somebody's own trip files mean, from a TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from adapters.files.layouts import LAYOUTS, Layout
from domain.errors import InvalidInput

Column = Annotated[str, Field(min_length=1)]
Place = Annotated[list[Column], Field(min_length=1, max_length=2)]


class _Columns(BaseModel, extra="forbid", strict=True):
    """The keys of the file: what tripcast calls a thing, and the file's column for it."""

    name: Column = "own"
    pickup_at: Column
    dropoff_at: Column
    pickup: Place
    dropoff: Place
    trip_id: Column | None = None
    vendor: Column | None = None
    passengers: Column | None = None
    duration_seconds: Column | None = None
    told_apart_by: list[Column] = []


def read_layout(path: Path | None) -> Layout | None:
    """The layout in that file; None without one. Raises InvalidInput that names every wrong line."""
    if path is None:
        return None
    try:
        found = _Columns.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise InvalidInput(f"the columns {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the columns {path} are not TOML: {error}") from error
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise InvalidInput(f"the columns {path}: {'; '.join(wrong)}") from error
    if len(found.pickup) != len(found.dropoff):
        raise InvalidInput(f"the columns {path}: pickup and dropoff are both two columns, or both one of zones")
    if found.name in {layout.name for layout in LAYOUTS}:
        raise InvalidInput(f"the columns {path}: the name {found.name} is one of ours; choose another")
    lists = {name: tuple(getattr(found, name)) for name in ("pickup", "dropoff", "told_apart_by")}
    return Layout(**{**found.model_dump(), **lists})
