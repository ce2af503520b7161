"""Make the previous champion champion again.

As with a promotion, running it again completes what a crash left half done: the alias `previous`, which says that there is
something to do, goes last. Callers hold the lock of role changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.entities.models import Alias, LifecycleEvent, ModelVersion, RoleChange, role_change
from domain.errors import UnknownVersion
from domain.ports import Announce, Clock, LifecycleJournal, ModelLibrary, ModelRegistry

KINDS: Sequence[str] = tuple(RoleChange)


@dataclass(frozen=True, slots=True)
class RollBack:
    """See the module. There is one way back: after it no version is `previous` until the next promotion."""

    registry: ModelRegistry
    library: ModelLibrary
    journal: LifecycleJournal
    announce: Announce
    clock: Clock

    async def __call__(self, actor: str, reason: str) -> LifecycleEvent:
        """The recorded event. Raises UnknownVersion when there is no previous champion, and ModelRefused."""
        target = self.registry.resolve(Alias.PREVIOUS)
        if target is None:
            raise UnknownVersion("no version carries the alias previous, so there is no way back; `tripcast promote` names one")
        self.library.admit(target, self.registry.download)
        champion = self.registry.resolve(Alias.CHAMPION)
        self.registry.set_alias(Alias.CHAMPION, target.version)
        event = await self._record(target, champion, actor, reason)
        self.registry.drop_alias(Alias.PREVIOUS)
        await self.announce(event)
        return event

    async def _record(self, target: ModelVersion, champion: ModelVersion | None, actor: str, reason: str) -> LifecycleEvent:
        last = await self.journal.newest(KINDS)
        event = role_change(RoleChange.ROLLED_BACK, target, champion, actor=actor, reason=reason, at=self.clock.now())
        if last is not None and last.kind == event.kind and last.subject == event.subject:
            return last
        await self.journal.record(event)
        return event
