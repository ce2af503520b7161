"""Put the Monitor together: it names the adapters that only the Monitor needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from adapters.files.policies import read_policy
from adapters.kafka.broker import Broker
from adapters.kafka.lifecycle import announce
from adapters.kafka.topics import end_offsets, topic_source
from adapters.postgres.connection.locks import Leadership
from adapters.postgres.connection.pool import Pool
from adapters.postgres.loop.store import LoopStore
from adapters.river.detectors import RiverDetector
from domain.areas import AreaGrid
from domain.loop.loop import Loop
from domain.policy import Policy
from domain.ports import StreamStore
from schemas.topics import MODEL_LIFECYCLE, TRIP_EVENTS
from stream.inbox import Inbox
from stream.metrics import Metrics
from stream.monitor_host import MonitorParts
from stream.monitor_metrics import MonitorMetrics
from stream.monitor_ports import Registered
from stream.settings import WorkerSettings

LOCK = "closed loop"


@dataclass(frozen=True, slots=True)
class InputTopic:
    """Implements `stream.monitor_ports.EventTopic`."""

    broker: Broker
    name: str
    store: StreamStore

    async def source_id(self) -> int:
        """The number of its present incarnation."""
        return await self.store.register(await topic_source(self.broker, self.name))

    async def ends(self) -> Mapping[int, int]:
        """The offsets after the last records."""
        return await end_offsets(self.broker, self.name)


def policy_of(settings: WorkerSettings) -> Policy:
    """The policy that the settings name. Raises InvalidInput."""
    return read_policy(settings.policy)


def monitor_parts(
    settings: WorkerSettings,
    pool: Pool,
    *,
    store: StreamStore,
    registered: Registered,
    metrics: Metrics,
    lagging: Callable[[], bool],
) -> MonitorParts:
    """Nothing is opened yet. Raises InvalidInput for a policy that cannot be used."""
    policy, grid, clock = policy_of(settings), AreaGrid(settings.rules().area), settings.clock()
    return MonitorParts(
        leadership=Leadership(settings, LOCK),
        store=LoopStore(pool, grid, policy.time.maturity_minutes),
        topic=InputTopic(Broker.of(settings), f"{settings.topic_prefix}{TRIP_EVENTS.name}", store),
        registered=registered,
        announce=partial(announce, Broker.of(settings), f"{settings.topic_prefix}{MODEL_LIFECYCLE.name}"),
        new_loop=lambda: Loop(policy, RiverDetector, grid, clock),
        timing=policy.time,
        metrics=MonitorMetrics(metrics.registry),
        inbox=Inbox(),
        lagging=lagging,
    )
