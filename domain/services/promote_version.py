"""Make a version champion, and the champion of until then `previous`.

A crash between two writes leaves something that running it again completes: the aliases come first, then the record, then the
message. Callers hold the lock of role changes. The registry is asked synchronously: this runs in commands, not in a server.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.entities.models import Alias, LifecycleEvent, RoleChange, role_change
from domain.ports import Announce, Clock, LifecycleJournal, ModelLibrary, ModelRegistry

KINDS: Sequence[str] = tuple(RoleChange)


@dataclass(frozen=True, slots=True)
class PromoteVersion:
    """See the module."""

    registry: ModelRegistry
    library: ModelLibrary
    journal: LifecycleJournal
    announce: Announce
    clock: Clock

    async def __call__(
        self, version: int, actor: str, reason: str, *, request: str | None = None, watch: bool = False
    ) -> LifecycleEvent | None:
        """The recorded event, or None when the version was champion already and the record says so.

        With `watch` the champion of until then becomes challenger: it goes on predicting, unseen, to be compared with.
        `request`: whose it was, for the record. Raises UnknownVersion, and ModelRefused when a worker would refuse the
        version; nothing has changed then.
        """
        target = self.registry.get(version)
        self.library.admit(target, self.registry.download)
        champion = self.registry.resolve(Alias.CHAMPION)
        if champion is None or champion.version != version:
            if champion is not None:
                self.registry.set_alias(Alias.PREVIOUS, champion.version)
            self.registry.set_alias(Alias.CHAMPION, version)
        replaced = self.registry.resolve(Alias.PREVIOUS)
        if watch and replaced is not None and replaced.version != version:
            self.registry.set_alias(Alias.CHALLENGER, replaced.version)
        else:
            self._no_longer_challenger(version)
        event = role_change(RoleChange.PROMOTED, target, replaced, actor=actor, reason=reason, at=self.clock.now())
        event.details.update({"request": request} if request else {})
        last = await self.journal.newest(KINDS)
        if last is not None and last.subject == event.subject:
            return None
        await self.journal.record(event)
        await self.announce(event)
        return event

    def _no_longer_challenger(self, version: int) -> None:
        challenger = self.registry.resolve(Alias.CHALLENGER)
        if challenger is not None and challenger.version == version:
            self.registry.drop_alias(Alias.CHALLENGER)
