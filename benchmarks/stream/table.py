"""The stream's tables in docs/performance.md."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.figures import MISSING, Results, table, three_digits

RATES = (100, 1_000, 5_000)
STAGES = {
    "fetch": ("fetch, waiting included", ("fetch",)),
    "score": ("score", ("decode", "features", "model")),
    "write": ("write: look-up, COPY, commit", ("write",)),
    "publish": ("publish", ("encode", "publish")),
    "signals": ("tallies of what was committed (processor time)", ()),
}


def rivals(results: Results) -> str:
    """Events a second, and ours in relation to each."""

    def row(what: str, rate: str, ratio: str, reach: str, form: str) -> tuple[str, ...]:
        return what, results.rate(f"stream.{rate}"), results.figure(f"stream.{ratio}", form), reach

    rows = [
        ("tripcast's worker", results.rate("stream.events_per_second"), "", ""),
        (
            "the same while a challenger shadows every trip",
            _median(results.details("stream").get("with_challenger", [])),
            results.figure("stream.with_challenger", "{:.2f} times without"),
            ">= 0.65",
        ),
        row("the bare loop", "bare_loop_events_per_second", "vs_bare_loop", ">= 0.85", "ours is {:.2f} times"),
        row("FastStream, batch subscriber", "faststream_events_per_second", "vs_faststream", "", "ours is {:.2f} times"),
        row("Quix Streams, batched sink", "quix_events_per_second", "vs_quix", ">= 3.5", "ours is {:.1f} times"),
        row("stock Faust agent", "stock_faust_events_per_second", "vs_stock_faust", ">= 100", "ours is {:.0f} times"),
    ]
    return f"{table(('what', 'events/s', 'ratio', 'reach'), rows)}\n\n{results.measured('stream')}"


def latency(results: Results) -> str:
    """Milliseconds from the producer to the committed row, at each rate."""
    waits = results.details("stream").get("latency", {})
    rows = [
        (
            f"{rate:,} events/s",
            f"{waits[str(rate)]['events']:,.0f}" if str(rate) in waits else MISSING,
            *(results.figure(f"stream.{name}_ms_at_{rate}", "{:.1f} ms") for name in ("p50", "p99", "p999")),
        )
        for rate in RATES
    ]
    return table(("sent", "events", "p50", "p99", "p99.9"), rows)


def stages(results: Results) -> str:
    """Where the worker's time goes; stages overlap, so shares are of their sum. And what the parts of each can do alone."""
    details = results.details("stream")
    alone, beside, limits = (details.get(name, {}) for name in ("stages", "stages_with_challenger", "limits"))
    rows = [
        (what, _seconds(alone, stage), _share(alone, stage), _seconds(beside, stage), _limits(limits, parts))
        for stage, (what, parts) in STAGES.items()
    ]
    return table(("stage", "seconds", "share", "seconds with a challenger", "its parts alone, events/s"), rows)


def _median(rounds: list[dict[str, Any]]) -> str:
    rates = sorted(each["ours"] for each in rounds)
    return three_digits(rates[len(rates) // 2]) if rates else MISSING


def _seconds(stages: dict[str, float], name: str) -> str:
    return f"{stages[name]:.1f}" if name in stages else MISSING


def _share(stages: dict[str, float], name: str) -> str:
    return f"{100 * stages[name] / sum(stages.values()):.0f}%" if name in stages else MISSING


def _limits(limits: dict[str, float], parts: Sequence[str]) -> str:
    return ", ".join(f"{part} {three_digits(limits[part]) if part in limits else MISSING}" for part in parts)


TABLES: dict[str, Callable[[Results], str]] = {"stream": rivals, "stream-latency": latency, "stream-stages": stages}
