"""An episode: something was confirmed, for a cause that can be said in words, and one training may come of it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from domain.loop.evidence import Finding
from domain.loop.residuals import CITY, Sample
from domain.loop.watcher import Watcher
from domain.loop.words import listed, share_change

WORLD_CHANGE, LOCAL_CHANGE = "world_change", "local_change"
SAME_SIGN_SHARE = 0.7  # of the watched areas: then it is the whole city
NAMED_AREAS = 4


@dataclass(frozen=True, slots=True)
class Cause:
    """`kind`: world_change, local_change, follow_up, schedule or by_hand. `segments`: cells of areas."""

    kind: str
    reason: str
    segments: tuple[int, ...] = ()
    alarms: tuple[str, ...] = ()
    numbers: dict[str, object] = field(default_factory=dict)
    shift: float = 0.0


@dataclass(slots=True)
class Episode:
    """Number `number`, confirmed at `minute`; `changed`: since when trips are different, if that is known."""

    number: int
    cause: Cause
    changed: int | None
    minute: int
    held: str | None = None

    @property
    def subject(self) -> str:
        """Its name in every record."""
        return f"episode {self.number}"

    def is_break(self, shift: float) -> bool:
        """Whether trips changed by at least so much."""
        return abs(self.cause.shift) >= shift


def cause_of(findings: Sequence[Finding], alarms: Mapping[str, Set[int]], watcher: Watcher) -> Cause:
    """Where and how much trips have changed, from what was confirmed and from the areas' own evidence."""
    first = findings[0]
    moved = _moved_areas(first, watcher)
    whole = len(moved) >= SAME_SIGN_SHARE * max(len(watcher.areas), 1)
    kind = WORLD_CHANGE if whole or not watcher.areas else LOCAL_CHANGE
    segments = tuple(moved) if kind == LOCAL_CHANGE else ()
    areas = [watcher.segment_name(area) for area in segments[:NAMED_AREAS]]
    where = listed(areas) if areas else watcher.segment_name(CITY if whole else first.segment)
    seen = f"{first.labels:,} mature labels over {first.hours:.0f} h ({first.z:.0f} standard errors)"
    told = tuple(_told(detector, segments) for detector, segments in alarms.items())
    reason = f"{share_change(first.shift)} in {where}: {seen}, after {listed(told)}"
    numbers: dict[str, object] = {"shift": round(first.shift, 4), "labels": first.labels, "hours": round(first.hours, 1)}
    return Cause(kind, reason, segments, told, numbers | {"cause": kind, "segments": list(segments)}, first.shift)


def _told(detector: str, segments: Set[int]) -> str:
    """An alarm, and where it was raised; nowhere if it is not a detector's."""
    areas = len(segments - {CITY})
    places = [*(["the whole city"] if CITY in segments else []), *([f"{areas} area{'s' * (areas > 1)}"] if areas else [])]
    return f"{detector} in {listed(places)}" if places else detector


def _moved_areas(first: Finding, watcher: Watcher) -> list[int]:
    """The watched areas that moved the same way, by at least half as much, the most moved first."""
    evidence = watcher.suspicion.evidence if watcher.suspicion else None
    trails = {area: evidence.trails[area] for area in watcher.areas if evidence and area in evidence.trails}
    samples = {area: trail.since(first.since) for area, trail in trails.items()}
    moved = {area: sample for area, sample in samples.items() if _moved(sample, first)}
    return sorted(moved, key=lambda area: -abs(moved[area].mean))


def _moved(sample: Sample, first: Finding) -> bool:
    return sample.mean * first.shift > 0 and abs(sample.mean) >= abs(first.shift) / 2
