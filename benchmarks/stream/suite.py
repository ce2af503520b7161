"""The stream part of `make bench`: throughput against the bare loop and the stock pattern, latency, memory."""

import asyncio
import statistics
import time
from typing import Any

from rich.console import Console

from benchmarks.champion import Challenger, champion
from benchmarks.report import save, show
from benchmarks.stream import bare, latency, ours, stock
from benchmarks.stream.events import city_events, publish
from benchmarks.world import PARTITIONS, World

TRIPS = 120_000
STOCK_TRIPS = 400
LATENCY_RATE = 1_000
LATENCY_SECONDS = 20
PREFIX = "bench-"


def run(world: World, rounds: int) -> None:
    """Measure everything in one world, paired; save and show."""
    say = Console(stderr=True).print
    started = time.monotonic()
    model = champion(world, say)
    challenger = Challenger(world, say)
    say("publishing the events")
    events = city_events(TRIPS, seed=2)
    asyncio.run(_publish(world, events))
    pairs, shadowed = [], []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: bare loop, ours, ours with a challenger")
        pairs.append((bare.run(world, f"{PREFIX}trip-events", model), ours.run(world, PREFIX)))
        with challenger:
            shadowed.append(ours.run(world, PREFIX))
        say(f"  {pairs[-1][0]:,.0f}, {pairs[-1][1].rate:,.0f}, {shadowed[-1].rate:,.0f} events/s")
    say("the stock pattern")
    stock_rate = stock.run(world, city_events(STOCK_TRIPS, seed=3))
    say(f"latency at {LATENCY_RATE} events/s")
    waits = latency.run(world, city_events(LATENCY_RATE * LATENCY_SECONDS // 2 + 2_000, seed=4), LATENCY_RATE, LATENCY_SECONDS)
    _conclude(pairs, shadowed, stock_rate, waits, time.monotonic() - started)


async def _publish(world: World, events: Any) -> None:
    await world.topics(PREFIX)
    await publish(world.kafka, f"{PREFIX}trip-events", events)


def _conclude(
    pairs: list[tuple[Any, Any]], shadowed: list[Any], stock_rate: float, waits: dict[str, float], seconds: float
) -> None:
    ratio = statistics.median(own.rate / loop for loop, own in pairs)
    loop_rate, own_rate = (statistics.median(rates) for rates in ([loop for loop, _ in pairs], [own.rate for _, own in pairs]))
    rss = max(own.rss_mb for _, own in pairs)
    results = {
        "vs_bare_loop": ratio,
        "with_challenger": statistics.median(beside.rate / own.rate for beside, (_, own) in zip(shadowed, pairs, strict=True)),
        "vs_stock_faust": own_rate / stock_rate,
        "events_per_second": own_rate,
        "bare_loop_events_per_second": loop_rate,
        "stock_faust_events_per_second": stock_rate,
        "p50_ms_at_1000": waits["p50"],
        "p99_ms_at_1000": waits["p99"],
        "rss_mb": rss,
    }
    details = {
        "pairs": [{"bare_loop": round(loop), "ours": round(own.rate)} for loop, own in pairs],
        "with_challenger": [{"ours": round(each.rate), "share_shadowed": each.shadowed / TRIPS} for each in shadowed],
        "stages": pairs[-1][1].stages,
        "stages_with_challenger": shadowed[-1].stages,
        "latency": {name: round(value, 2) for name, value in waits.items()},
        "took_seconds": round(seconds),
    }
    save("stream", results, details)
    show("The stream, side by side", _rows(results), ("what", "figure", "reach"))


def _rows(results: dict[str, float]) -> list[tuple[str, str, str]]:
    return [
        ("ours, events/s", f"{results['events_per_second']:,.0f}", ""),
        ("the bare loop, events/s", f"{results['bare_loop_events_per_second']:,.0f}", ""),
        ("stock Faust + pyfunc + insert a row, events/s", f"{results['stock_faust_events_per_second']:,.0f}", ""),
        ("ours / bare loop", f"{results['vs_bare_loop']:.2f}", ">= 0.70"),
        ("ours with a challenger / ours", f"{results['with_challenger']:.2f}", ">= 0.65"),
        ("ours / stock", f"{results['vs_stock_faust']:.0f}", ">= 60"),
        ("event to row at 1,000 events/s, p50", f"{results['p50_ms_at_1000']:.1f} ms", ""),
        ("event to row at 1,000 events/s, p99", f"{results['p99_ms_at_1000']:.1f} ms", "aim <= 50"),
        ("worker memory after it, RSS", f"{results['rss_mb']:.0f} MB", f"aim <= 300; {PARTITIONS} partitions"),
    ]
