"""Who was champion when, from the changes of the champion. Pure; wall time."""

from collections.abc import Sequence
from datetime import datetime

from domain.entities.models import LifecycleEvent, RoleChange
from schemas.http.models import ChampionAt, Reign

HOW = {RoleChange.PROMOTED.value: "promoted", RoleChange.ROLLED_BACK.value: "rolled back"}


def reigns_of(changes: Sequence[LifecycleEvent]) -> list[Reign]:
    """Newest first; `changes` oldest first. A change that says no version ends a reign and begins none."""
    reigns = []
    for place, event in enumerate(changes):
        version = event.details.get("version")
        if isinstance(version, int):
            until = changes[place + 1].at if place + 1 < len(changes) else None
            how = HOW.get(event.kind, event.kind)
            reigns.append(Reign(version=version, since=event.at, until=until, how=how, actor=event.actor, reason=event.reason))
    return reigns[::-1]


def champion_at(reigns: Sequence[Reign], at: datetime) -> ChampionAt:
    """Who was champion at that moment; `reigns` newest first."""
    found = next((reign for reign in reigns if reign.since <= at and (reign.until is None or at < reign.until)), None)
    return ChampionAt(at=at, version=found.version if found else None, reign=found)
