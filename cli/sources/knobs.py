"""What may be done to the simulated city while it runs, and the small file through which another terminal does it."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from domain.city.city import MINUTE
from domain.city.geography import AREA_NAMES, WHOLE
from domain.errors import InvalidInput

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Minutes = Annotated[float, msgspec.Meta(ge=0)]
Fault = Literal["none", "unit", "missing-field", "clock"]


class Knobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be turned. Minutes are of city time, from the moment the knobs were turned on.

    `slowdown`: driving times are multiplied by it, for pickups in `slowdown_area`. `fault`: what is wrong with a share of the
    trips' events: `unit` writes coordinates in degrees and minutes as if they were decimal degrees, `missing-field` leaves
    the passenger count out or at zero, `clock` is an hour behind. `duplicates`: share of events published twice. `late`,
    `missing`: share of completions that come half an hour to three hours late, or never. `poison`: undecodable events, as a
    share of the trips, on top of them.
    """

    slowdown: Annotated[float, msgspec.Meta(gt=0, le=20)] = 1.0
    slowdown_area: str = WHOLE
    slowdown_after: Minutes = 0.0
    fault: Fault = "none"
    fault_share: Share = 1.0
    fault_after: Minutes = 0.0
    duplicates: Share = 0.0
    late: Share = 0.0
    missing: Share = 0.0
    poison: Share = 0.0

    @classmethod
    def checked(cls, values: dict[str, object]) -> "Knobs":
        """Make knobs of values that a person has written. Raises InvalidInput, naming the knob."""
        try:
            knobs = msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"the simulated city has no such knob or position: {error}") from error
        if knobs.slowdown_area not in AREA_NAMES:
            raise InvalidInput(f"no area is called {knobs.slowdown_area}; there are {', '.join(AREA_NAMES)}")
        return knobs

    def as_toml(self) -> str:
        """One line a knob."""
        lines = (f"{name} = {_toml(value)}" for name, value in msgspec.structs.asdict(self).items())
        return "\n".join(("# The running simulation reads this file again whenever it changes.", *lines, ""))


class TurnedKnobs(msgspec.Struct, frozen=True):
    """Knobs, and the city time (UTC) at which they were turned."""

    knobs: Knobs
    at: np.datetime64

    @property
    def slowdown_from(self) -> np.datetime64:
        """The first pickup that the slow-down concerns."""
        return self.at + _minutes(self.knobs.slowdown_after)

    @property
    def fault_from(self) -> np.datetime64:
        """The first pickup that the fault concerns."""
        return self.at + _minutes(self.knobs.fault_after)


class ControlFile:
    """The file that holds the running simulation's knobs; it is there as long as one runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None

    def write(self, knobs: Knobs) -> None:
        """Replace the file in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(self.path.name + ".new")
        draft.write_text(knobs.as_toml())
        draft.replace(self.path)

    def start(self, knobs: Knobs) -> None:
        """Write the knobs that the simulation starts with, over what an earlier one has left."""
        self.write(knobs)
        self._seen = self._stamp()

    def read(self) -> Knobs:
        """The knobs in the file. Raises InvalidInput."""
        try:
            return Knobs.checked(tomllib.loads(self.path.read_text()))
        except OSError as error:
            raise InvalidInput(f"no simulation runs here: {self.path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{self.path}: {error}") from error

    def changed(self) -> Knobs | None:
        """The knobs when the file has changed since the last look, else None. Raises InvalidInput once for a wrong file."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        self._seen = stamp
        return self.read()

    def remove(self) -> None:
        """The simulation ends."""
        self.path.unlink(missing_ok=True)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino


def _minutes(count: float) -> np.timedelta64:
    return np.timedelta64(round(count * (MINUTE / np.timedelta64(1, "us"))), "us")


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
