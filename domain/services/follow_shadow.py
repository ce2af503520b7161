"""Follow the registry's challenger: the version that scores the same trips beside the champion, and never disturbs it."""

from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from domain.entities.models import Alias, ModelVersion, Refusal
from domain.errors import ModelRefused, RegistryUnreachable, UnknownVersion
from domain.ports import ModelLibrary, ModelRegistry, ScoringModel


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What one refresh found. `active` shadows now (None: nothing does). `refused` is set once per refused version."""

    active: ModelVersion | None
    changed: bool = False
    refused: Refusal | None = None


@dataclass(slots=True)
class FollowShadow:
    """Implements `domain.ports.ShadowSource`. `beside` and `refuse` may be called from any thread, also during a `refresh`."""

    registry: ModelRegistry
    library: ModelLibrary
    _active: tuple[ModelVersion, ScoringModel] | None = None  # one attribute, so that it is swapped at once
    _refused: ModelVersion | None = None
    _refreshing: Lock = field(default_factory=Lock)

    def beside(self, champion: ScoringModel) -> ScoringModel | None:
        """What shadows this champion now, or None; never the champion itself, whichever of the two aliases moved first."""
        active = self._active
        return None if active is None or active[1].version == champion.version else active[1]

    def refuse(self, model: ScoringModel) -> None:
        """It failed while it scored: it shadows no more, until another version was challenger in between."""
        active = self._active
        if active is not None and active[1] is model:
            self._active, self._refused = None, active[0]

    def refresh(self) -> ShadowReport:
        """Ask the registry, and switch if its challenger is another one that passes every check. Blocks; one at a time.

        Never raises for an unreachable registry or a refused version. While the registry is away, who shadows goes on.
        """
        with self._refreshing:
            before, refused = self._version(), None
            with suppress(RegistryUnreachable):  # `FollowChampion` asks the same registry, and says so
                refused = self._follow(self._wanted())
            active = self._version()
            return ShadowReport(active, active is not before, refused)

    def _wanted(self) -> ModelVersion | None:
        found = self.registry.resolve(Alias.CHALLENGER)
        return None if found is None or Alias.CHAMPION in found.aliases else found

    def _follow(self, wanted: ModelVersion | None) -> Refusal | None:
        if wanted is None:
            self._active = self._refused = None
            return None
        if wanted.is_same(self._version()):
            return None
        self._active = None  # who shadowed is challenger no more
        return None if wanted.is_same(self._refused) else self._switch(wanted)

    def _switch(self, wanted: ModelVersion) -> Refusal | None:
        try:
            model = self.library.admit(wanted, self.registry.download)
        except (ModelRefused, UnknownVersion, OSError) as error:  # OSError: no room for its copy here
            self._refused = wanted
            return Refusal(wanted, str(error))
        self._active, self._refused = (wanted, model), None
        return None

    def _version(self) -> ModelVersion | None:
        active = self._active
        return active[0] if active else None
