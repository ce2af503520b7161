"""What a browser looks at: the URL's query as a value, so that a view can be shared by its address."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.http.base import Metric, Period

Theme = Literal["light", "dark"]
End = Literal["pickup", "dropoff"]
PERIODS: dict[Period, str] = {"5m": "5 min", "15m": "15 min", "1h": "1 h", "24h": "24 h", "all": "all"}
DEFAULT_PERIOD: Period = "15m"

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class View:
    """`zone`: the browser's time zone. `webgl`: it can draw maps. `query`: the other parameters of the address."""

    period: Period = DEFAULT_PERIOD
    paused: bool = False
    theme: Theme = "light"
    area: int | None = None
    metric: Metric = "trips"
    end: End = "pickup"
    zone: ZoneInfo = UTC
    webgl: bool = True
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def dark(self) -> bool:
        """Whether figures are drawn on a dark ground."""
        return self.theme == "dark"

    def address(self, path: str, **more: str) -> str:
        """The address of another page that keeps what is chosen here."""
        chosen = {"period": self.period, "theme": self.theme} | ({"area": str(self.area)} if self.area is not None else {})
        return f"{path}?{urlencode(chosen | more)}"


def view_of(data: object) -> View:
    """What the browser says it looks at; whatever is not understood is the default, since addresses are typed by people."""
    said: Mapping[str, Any] = data if isinstance(data, dict) else {}
    query = said.get("query")
    return View(
        period=period if _is_period(period := said.get("period")) else DEFAULT_PERIOD,
        paused=said.get("paused") is True,
        theme="dark" if said.get("theme") == "dark" else "light",
        area=_number(said.get("area")),
        metric=_one_of(said.get("metric"), get_args(Metric)),
        end=_one_of(said.get("end"), get_args(End)),
        zone=_zone(said.get("zone")),
        webgl=said.get("webgl") is not False,
        query={str(name): str(value) for name, value in query.items()} if isinstance(query, dict) else {},
    )


def _is_period(said: object) -> TypeGuard[Period]:
    return said in PERIODS


def _one_of(said: object, known: tuple[Any, ...]) -> Any:  # noqa: ANN401 - one of `known`, the first where it is not
    return said if said in known else known[0]


def _number(said: object) -> int | None:
    return int(said) if isinstance(said, str | int) and str(said).isascii() and str(said).isdigit() else None


def _zone(said: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(said or UTC))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
