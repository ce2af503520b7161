"""What the user asked `tripcast up` for."""

from dataclasses import dataclass
from pathlib import Path

from domain.errors import InvalidInput

FASTEST = "max"


@dataclass(frozen=True, slots=True)
class UpOptions:
    """A trips file to learn from and replay, or (None) the simulated city; `source_arguments` go to the source as they are."""

    trips: Path | None = None
    zones: Path | None = None
    speed: str | None = None
    source: bool = True
    api: bool | None = None  # None: unless `once`, for then nobody looks
    board: bool | None = None
    once: bool = False
    as_json: bool = False
    source_arguments: tuple[str, ...] = ()

    @property
    def serves_api(self) -> bool:
        """Whether the API is started; the board knows the system through it alone."""
        return self.board is True or (not self.once if self.api is None else self.api)

    @property
    def serves_board(self) -> bool:
        """Whether the board is started."""
        return self.serves_api and (not self.once if self.board is None else self.board)

    def check(self) -> None:
        """Refuse what could only fail minutes later. Raises InvalidInput."""
        for option, path in (("--trips", self.trips), ("--zones", self.zones)):
            if path is not None and not path.is_file():
                raise InvalidInput(f"{option} {path}: no such file")
        if self.once and self.trips is None:
            raise InvalidInput("--once needs --trips: the simulated city never ends")
        if self.once and not self.source:
            raise InvalidInput("--once and --no-source exclude each other")
        if self.board and self.api is False:
            raise InvalidInput("--board and --no-api exclude each other: the board asks the API")
        if self.speed is not None and not _is_speed(self.speed):
            raise InvalidInput(f"--speed {self.speed}: not a positive number, nor {FASTEST}")


def _is_speed(text: str) -> bool:
    try:
        return text == FASTEST or float(text) > 0
    except ValueError:
        return False
