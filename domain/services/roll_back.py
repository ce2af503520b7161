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

    async def __call__(self, actor: str, reason: str, *, request: str | None = None) -> LifecycleEvent:
        """The recorded event. Raises UnknownVersion when there is no previous champion, and ModelRefused.

        `request`: whose it was, for the record.
        """
        target = self.registry.resolve(Alias.PREVIOUS)
        if target is None:
            raise UnknownVersion("no version carries the alias previous, so there is no way back; `tripcast promote` names one")
        self.library.admit(target, self.registry.download)
        champion = self.registry.resolve(Alias.CHAMPION)
        self.registry.set_alias(Alias.CHAMPION, target.version)
        event = await self._record(target, champion, actor, reason, request)
        self._no_longer_challenger(target)
        self.registry.drop_alias(Alias.PREVIOUS)
        await self.announce(event)
        return event

    def _no_longer_challenger(self, target: ModelVersion) -> None:
        """It was compared with the version that it now replaces."""
        challenger = self.registry.resolve(Alias.CHALLENGER)
        if challenger is not None and challenger.version == target.version:
            self.registry.drop_alias(Alias.CHALLENGER)

    async def _record(
        self, target: ModelVersion, champion: ModelVersion | None, actor: str, reason: str, request: str | None
    ) -> LifecycleEvent:
        last = await self.journal.newest(KINDS)
        replaced = self._replaced(target, champion, last)
        event = role_change(RoleChange.ROLLED_BACK, target, replaced, actor=actor, reason=reason, at=self.clock.now())
        event.details.update({"request": request} if request else {})
        if last is not None and last.kind == event.kind and last.subject == event.subject:
            return last
        await self.journal.record(event)
        return event

    def _replaced(
        self, target: ModelVersion, champion: ModelVersion | None, last: LifecycleEvent | None
    ) -> ModelVersion | None:
        """Who was champion: after a crash the alias has moved already, and the record says who was promoted last."""
        if champion is None or champion.version != target.version or last is None or last.kind != RoleChange.PROMOTED:
            return champion
        return self.registry.get(int(str(last.details["version"])))
