"""How the API and a worker tell, over their own routes, which version they serve and whether they can serve at all."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from domain.errors import Unreachable
from schemas.http.models import ModelInfo

LOOK_SECONDS = 5.0
CHAMPION = "tripcast_champion_version"
Get = Callable[[str, float, Mapping[str, str] | None], Awaitable[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class LookAtApi:
    """Implements `batch.watch_health.Look`. `key`: of the API, where it asks for one."""

    address: str
    get: Get
    key: str | None = None

    async def __call__(self, version: int) -> str | None:
        """`/readyz` is 200 and `/model/info` names the version."""
        headers = {"X-API-Key": self.key} if self.key else {}
        try:
            if wrong := await _not_ready(self.get, self.address):
                return wrong
            status, text = await self.get(f"{self.address}/model/info", LOOK_SECONDS, headers)
        except Unreachable as error:
            return str(error)
        if status != HTTPStatus.OK:
            return f"{self.address}/model/info answers with status {status}"
        try:
            info = msgspec.json.decode(text, type=ModelInfo)
        except msgspec.MsgspecError:
            return f"{self.address}/model/info answers with something that is not tripcast's API"
        if info.version == version:
            return None
        refused = info.refused.reason if info.refused and info.refused.version == version else ""
        return f"{self.address} serves version {info.version}" + (f" and refuses {version}: {refused}" if refused else "")


@dataclass(frozen=True, slots=True)
class LookAtWorker:
    """Implements `batch.watch_health.Look`."""

    address: str
    get: Get

    async def __call__(self, version: int) -> str | None:
        """`/readyz` is 200 and the metrics name the version."""
        try:
            if wrong := await _not_ready(self.get, self.address):
                return wrong
            _, text = await self.get(f"{self.address}/metrics", LOOK_SECONDS, None)
        except Unreachable as error:
            return str(error)
        scoring = _champion(text)
        return None if scoring == version else f"{self.address} scores with version {scoring}"


async def _not_ready(get: Get, address: str) -> str | None:
    status, _ = await get(f"{address}/readyz", LOOK_SECONDS, None)
    return None if status == HTTPStatus.OK else f"{address}/readyz answers with status {status}"


def _champion(text: str) -> int | None:
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError:
        return None
    return next((int(sample.value) for sample in samples if sample.name == CHAMPION), None)
