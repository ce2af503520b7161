"""Follow the registry's champion: a new version scores once it is verified, and until then the old one goes on."""

from dataclasses import dataclass, field
from threading import Lock

from domain.entities.models import Alias, ModelVersion, Refusal
from domain.errors import ModelRefused, NoChampion, RegistryUnreachable
from domain.ports import ModelLibrary, ModelRegistry, ScoringModel


@dataclass(frozen=True, slots=True)
class ChampionReport:
    """What one refresh found.

    `active` scores now (None: nothing does). `replaced` scored before, when `changed`. `refused` is set once per refused
    version. `local_copy`: the active one comes from this machine, and the registry has not confirmed that it is champion.
    """

    active: ModelVersion | None
    changed: bool = False
    replaced: ModelVersion | None = None
    registry_up: bool = True
    local_copy: bool = False
    refused: Refusal | None = None


@dataclass(slots=True)
class FollowChampion:
    """Implements `domain.ports.ChampionSource`. `current` may be called from any thread, also during a `refresh`."""

    registry: ModelRegistry
    library: ModelLibrary
    _active: tuple[ModelVersion, ScoringModel] | None = None  # one attribute, so that it is swapped at once
    _confirmed: bool = False
    _refused: list[ModelVersion] = field(default_factory=list)
    _refreshing: Lock = field(default_factory=Lock)

    def current(self) -> ScoringModel:
        """The model that scores now. Raises NoChampion."""
        return self.serving()[1]

    def serving(self) -> tuple[ModelVersion, ScoringModel]:
        """The version that scores now and its model, of one moment. Raises NoChampion."""
        active = self._active
        if active is None:
            raise NoChampion("no model version carries the alias champion; `tripcast train` makes one")
        return active

    def refresh(self) -> ChampionReport:
        """Ask the registry, and switch if its champion is another one that passes every check. Blocks; one at a time.

        Never raises for an unreachable registry or a refused version: the report says so, and scoring goes on.
        """
        with self._refreshing:
            before = self._version()
            registry_up, refused = True, None
            try:
                refused = self._follow(self.registry.resolve(Alias.CHAMPION))
            except RegistryUnreachable:
                registry_up = False
            if self._active is None and (not registry_up or self._refused):
                refused = self._fall_back() or refused
            return self._report(before, registry_up, refused)

    def _follow(self, wanted: ModelVersion | None) -> Refusal | None:
        if wanted is None:  # nobody is champion: whoever scores now goes on, for trips need an answer
            self._confirmed = False
            return None
        if wanted.is_same(self._version()):
            self._confirmed = True
            self._refused.clear()  # its next turn, if it gets one, is a new attempt
            return None
        if self._is_refused(wanted):
            return None
        return self._switch(wanted, confirmed=True)

    def _switch(self, wanted: ModelVersion, *, confirmed: bool) -> Refusal | None:
        try:
            model = self.library.admit(wanted, self.registry.download)
        except ModelRefused as error:
            self._refused.append(wanted)
            return Refusal(wanted, str(error))
        self._active, self._confirmed = (wanted, model), confirmed
        if confirmed:
            self._refused.clear()
            self.library.remember_champion(wanted)
        return None

    def _fall_back(self) -> Refusal | None:
        last = self.library.last_champion()
        if last is None or self._is_refused(last):
            return None
        try:
            return self._switch(last, confirmed=False)
        except RegistryUnreachable:  # the copy here is not usable, and there is nowhere to fetch another from
            return None

    def _report(self, before: ModelVersion | None, registry_up: bool, refused: Refusal | None) -> ChampionReport:  # noqa: FBT001
        active = self._version()
        changed = active is not before
        return ChampionReport(
            active=active,
            changed=changed,
            replaced=before if changed else None,
            registry_up=registry_up,
            local_copy=active is not None and not self._confirmed,
            refused=refused,
        )

    def _version(self) -> ModelVersion | None:
        return self._active[0] if self._active else None

    def _is_refused(self, version: ModelVersion) -> bool:
        return any(version.is_same(refused) for refused in self._refused)
