"""Model versions by the number that a row names: from the registry, or the verified copy on this machine."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from domain.entities.models import ModelVersion
from domain.errors import ModelRefused, RegistryUnreachable, UnknownVersion
from domain.ports import ModelLibrary, ModelRegistry, ScoringModel


@dataclass(frozen=True, slots=True)
class NamedModels:
    """Implements `stream.repair_ports.NamedModels`; each version is looked for once."""

    registry: ModelRegistry
    library: ModelLibrary
    _known: dict[int, ScoringModel | None] = field(default_factory=dict)

    async def version(self, number: int) -> ScoringModel | None:
        """The version after all the checks that a champion passes, or None."""
        if number not in self._known:
            self._known[number] = await asyncio.to_thread(self._admit, number)
        return self._known[number]

    def _admit(self, number: int) -> ScoringModel | None:
        try:
            return self.library.admit(self.registry.get(number), self.registry.download)
        except RegistryUnreachable:
            return self._copy(number)
        except (ModelRefused, UnknownVersion):
            return None

    def _copy(self, number: int) -> ScoringModel | None:
        """Without the registry only the last champion can be checked: its sizes and hashes are noted here."""
        last = self.library.last_champion()
        if last is None or last.version != number:
            return None
        try:
            return self.library.admit(last, _never_fetch)
        except ModelRefused:
            return None


def _never_fetch(_version: ModelVersion, _folder: Path) -> None:
    raise ModelRefused("the copy on this machine is missing or fails a check, and the registry does not answer")
