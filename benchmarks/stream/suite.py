"""The stream part of `make bench`: throughput against the bare loop and the rivals, latency at three rates, memory."""

import asyncio
import time
from pathlib import Path

from rich.console import Console

from benchmarks.champion import Challenger, champion
from benchmarks.report import save, show
from benchmarks.stream import bare, latency, ours, stages, stock
from benchmarks.stream.conclusion import P99_MS_AT_1000, REACHES, Rounds, details, results
from benchmarks.stream.events import Events, city_events, publish
from benchmarks.stream.rivals import run as rivals
from benchmarks.world import PARTITIONS, World

TRIPS = 120_000
QUIX_EVENTS = 30_000  # some seconds each
STOCK_TRIPS = 1_500
SLOW_ROUNDS = 2
BATCH = {"faststream": 10_000, "quix": 5_000}  # the best that we found for each
PACES = {100: 10, 1_000: 20, 5_000: 8}  # seconds at each rate
PREFIX, FEWER = "bench-", "fewer-"

say = Console(stderr=True).print


def run(world: World, rounds: int) -> None:
    """Measure everything in one world, in turn; save and show."""
    started = time.monotonic()
    model = champion(world, say)
    challenger = Challenger(world, say)
    say("publishing the events")
    events = city_events(TRIPS, seed=2)
    asyncio.run(_publish(world, PREFIX, events))
    asyncio.run(_publish(world, FEWER, events.first(QUIX_EVENTS)))
    measured = Rounds(rivals={"faststream": [], "quix": []})
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: bare loop, ours, ours with a challenger, FastStream")
        _round(world, model, challenger, measured, len(events))
        if number >= rounds - SLOW_ROUNDS:
            say("  Quix, stock Faust")
            _slow_round(world, model, measured)
    say("each stage of the worker alone")
    measured.limits = stages.run(world, PREFIX)
    say(f"latency at {', '.join(f'{rate:,}' for rate in PACES)} events/s")
    measured.latency = latency.run(world, city_events(latency.needed(PACES) // 2 + 2_000, seed=4), PACES)
    found = results(measured)
    save("stream", found, details(measured, len(events)) | {"took_seconds": round(time.monotonic() - started)})
    show("The stream, side by side", _rows(found), ("what", "figure", "reach"))


def _round(world: World, model: Path, challenger: Challenger, measured: Rounds, events: int) -> None:
    topic = f"{PREFIX}trip-events"
    measured.bare_loop.append(bare.run(world, topic, model))
    measured.ours.append(ours.run(world, PREFIX))
    with challenger:
        measured.with_challenger.append(ours.run(world, PREFIX))
    faststream = rivals.run(world, "faststream_batch", topic, model, events, BATCH["faststream"])
    measured.rivals["faststream"].append(faststream)
    rates = (measured.bare_loop[-1], measured.ours[-1].rate, measured.with_challenger[-1].rate, faststream["events_per_second"])
    say(f"  {', '.join(f'{rate:,.0f}' for rate in rates)} events/s")


def _slow_round(world: World, model: Path, measured: Rounds) -> None:
    """Those whose ratio is far from one: the last rounds are enough."""
    quix = rivals.run(world, "quix", f"{FEWER}trip-events", model, QUIX_EVENTS, BATCH["quix"])
    measured.rivals["quix"].append(quix)
    stock_events = city_events(STOCK_TRIPS, seed=3)
    measured.stock_faust.append(stock.run(world, f"stock-{len(measured.stock_faust)}-", stock_events))
    say(f"  {quix['events_per_second']:,.0f}, {measured.stock_faust[-1]:,.0f} events/s")


async def _publish(world: World, prefix: str, events: Events) -> None:
    await world.topics(prefix)
    await publish(world.kafka, f"{prefix}trip-events", events)


def _rows(found: dict[str, float]) -> list[tuple[str, str, str]]:
    sides = {
        "ours": "events_per_second",
        "the bare loop": "bare_loop_events_per_second",
        "FastStream, batch subscriber": "faststream_events_per_second",
        "Quix Streams, batched sink, a score an event": "quix_events_per_second",
        "stock Faust + pyfunc + insert a row": "stock_faust_events_per_second",
    }
    ratios = {
        "ours / bare loop": "vs_bare_loop",
        "ours with a challenger / ours": "with_challenger",
        "ours / FastStream": "vs_faststream",
        "ours / Quix": "vs_quix",
        "ours / stock": "vs_stock_faust",
    }
    rows = [(f"{what}, events/s", f"{found[name]:,.0f}", "") for what, name in sides.items()]
    rows += [(what, f"{found[name]:.2f}", f">= {REACHES[name]:g}" if name in REACHES else "") for what, name in ratios.items()]
    for rate in PACES:
        waits = ", ".join(f"{found[f'{name}_ms_at_{rate}']:.1f}" for name in ("p50", "p99", "p999"))
        aim = f"p99 <= {P99_MS_AT_1000}" if rate == 1_000 else ""  # noqa: PLR2004 - the rate of the aim
        rows.append((f"event to row at {rate:,} events/s: p50, p99, p99.9 in ms", waits, aim))
    return [*rows, ("worker memory after it, RSS", f"{found['rss_mb']:.0f} MB", f"{PARTITIONS} partitions")]
