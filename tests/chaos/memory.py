"""How much memory a process holds, looked at twice a second while a block runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

LOOK_SECONDS = 0.5
MIB = 1024 * 1024


@dataclass(slots=True)
class Memory:
    """Resident sizes in MiB with their times in seconds, oldest first."""

    seconds: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    @property
    def growth_mib(self) -> float:
        """From the first look to the highest."""
        return max(self.mib) - self.mib[0]

    def slope_mib_per_minute(self) -> float:
        """Of a straight line through the second half, when what is filled once has been filled."""
        half = len(self.mib) // 2
        slope: float = np.polyfit(self.seconds[half:], self.mib[half:], 1)[0] * 60
        return slope

    def told(self) -> dict[str, Any]:
        """For the report."""
        return {
            "rss_first_mib": round(self.mib[0]),
            "rss_peak_mib": round(max(self.mib)),
            "rss_slope_mib_per_minute": round(self.slope_mib_per_minute(), 1),
        }

    async def watch(self, pid: int) -> None:
        """Until cancelled, or the process is gone."""
        process, loop = psutil.Process(pid), asyncio.get_running_loop()
        with suppress(psutil.NoSuchProcess):
            while True:
                self.mib.append(process.memory_info().rss / MIB)
                self.seconds.append(loop.time())
                await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def memory_of(pid: int) -> AsyncIterator[Memory]:
    """Watch while the block runs."""
    memory = Memory()
    watching = asyncio.create_task(memory.watch(pid))
    try:
        yield memory
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
