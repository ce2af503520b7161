"""Who serves, as the loop is told: the registry's word, or, without a registry, what scores in this worker."""

import asyncio
from dataclasses import dataclass

from domain.entities.models import Alias
from domain.errors import NoChampion, RegistryUnreachable
from domain.ports import ModelRegistry
from stream.follower import Champion, Shadow
from stream.monitor_ports import Serving

NOBODY = Serving(None, None, None)


@dataclass(frozen=True, slots=True)
class AskRegistry:
    """The versions that carry the aliases; a champion does not shadow itself, whichever alias moved first."""

    registry: ModelRegistry

    async def __call__(self) -> Serving | None:
        """None while the registry does not answer."""
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> Serving | None:
        try:
            champion, challenger = (self.registry.resolve(alias) for alias in (Alias.CHAMPION, Alias.CHALLENGER))
        except RegistryUnreachable:
            return None
        if champion is None:
            return NOBODY
        shadow = challenger.version if challenger and challenger.version != champion.version else None
        return Serving(champion.version, champion.run_id, shadow)


@dataclass(frozen=True, slots=True)
class AskModels:
    """The models of this worker."""

    champion: Champion
    shadow: Shadow

    async def __call__(self) -> Serving | None:
        """Who scores here."""
        try:
            model = self.champion.current()
        except NoChampion:
            return NOBODY
        beside = self.shadow.beside(model)
        return Serving(model.version, None, beside.version if beside else None)
