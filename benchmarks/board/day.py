"""How long the API takes to answer with a whole day, with nothing prepared and then as a board asks: each second."""

import time
from dataclasses import dataclass

import httpx
import msgspec

from benchmarks.api.servers import our_api
from benchmarks.board.seed import seed
from benchmarks.world import World
from schemas.http.snapshot import Snapshot

AREAS_ASKED, LOOKS = 8, 12
SETTLE_SECONDS = 3.0
PANELS = ("cards", "traffic", "error", "drift", "retraining", "map", "trips")


@dataclass(frozen=True, slots=True)
class Day:
    """Milliseconds: the first answer of all, the first of each of some areas, and later ones; rows that there are."""

    first_ms: float
    areas_ms: list[float]
    later_ms: list[float]
    kilobytes: float
    rows: dict[str, int]

    @property
    def most_ms(self) -> float:
        """The slowest of all."""
        return max(self.first_ms, *self.areas_ms, *self.later_ms)


def day_of_rollups(world: World) -> Day:
    """Write a day, start the API anew, ask."""
    rows = seed(world)
    with our_api(world, TRIPCAST_BOARD_DATABASE=world.readers) as api, httpx.Client(base_url=api.address) as client:
        time.sleep(SETTLE_SECONDS)  # it looks at the database and the broker twice a second from its start
        first, content = _asked(client)
        snapshot = _whole(content)
        assert snapshot.map.data is not None
        areas = [each.area for each in sorted(snapshot.map.data.pickups, key=lambda each: -each.trips)[:AREAS_ASKED]]
        by_area = [_asked(client, area=str(area))[0] for area in areas]
        later = []
        for _ in range(LOOKS):
            time.sleep(1.0)
            milliseconds, content = _asked(client)
            _whole(content)
            later.append(milliseconds)
    return Day(first, by_area, later, len(content) / 1000, rows)


def _asked(client: httpx.Client, **query: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    answer = client.get("/snapshot", params={"period": "24h", **query}).raise_for_status()
    return (time.perf_counter() - began) * 1000, answer.content


def _whole(content: bytes) -> Snapshot:
    """Raises when a panel is missing or late: a quick answer without its data would be none."""
    snapshot = msgspec.json.decode(content, type=Snapshot)
    for name in PANELS:
        panel = getattr(snapshot, name)
        if panel.data is None or panel.error:
            raise RuntimeError(f"the panel {name} of the day came without its data: {panel.error}")
    return snapshot
