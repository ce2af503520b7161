"""Announce what the loop decided, once it is stored, on `model-lifecycle`: at least once, in order."""

import structlog

from domain.errors import BrokerUnreachable
from domain.ports import Announce
from stream.monitor import Monitor
from stream.monitor_ports import LoopStore

log = structlog.get_logger("tripcast.stream")


class Announcer:
    """What could not be announced is announced at a later call, by whichever worker leads then."""

    def __init__(self, store: LoopStore, announce: Announce) -> None:
        self._store, self._announce = store, announce

    async def __call__(self, monitor: Monitor) -> None:
        """Announce what is owed. Raises DatabaseUnreachable."""
        if not monitor.owes:
            return
        for event_id, event in await self._store.owed(monitor.announced_event_id):
            try:
                await self._announce(event)
            except BrokerUnreachable as error:
                log.warning("announcement_owed", kind=event.kind, why=str(error))
                return
            monitor.announced(event_id)
        monitor.owes = False
