"""What the API part writes and shows."""

from dataclasses import asdict
from typing import Any

from benchmarks.api.kill import Lost
from benchmarks.api.side import Side, p99_ratio, rate_ratio
from benchmarks.report import save, show

IN_TURN = {"mlflow_serve": "mlflow", "mlserver": "mlserver", "bentoml": "bentoml"}  # names of results and of sides
ONCE = ("without_signature", "registered")  # other flavours of MLflow
NAMES = {
    "ours": "ours",
    "mlflow": "MLflow",
    "mlserver": "MLServer",
    "bentoml": "BentoML",
    "without_signature": "MLflow without a signature",
    "registered": "MLflow, features made by the caller",
    "loader": "a server that answers at once",
}


def conclude(sides: dict[str, Side], lost: list[Lost], details: dict[str, Any]) -> None:
    """Save the ratios, with every side's figures under `details`; show both."""
    results = results_of(sides) | {"lost_by_kill": max(each.predictions for each in lost)}
    figures = {name: side.figures() for name, side in sides.items()}
    save("api", results, details | figures | {"kills": [asdict(each) for each in lost]})
    show("The API and the servers of others, side by side", _rows(sides, lost, results), ("what", "figure", "reach"))


def results_of(sides: dict[str, Side]) -> dict[str, float]:
    """Numbers by name: ratios to each of the others, the least of them over all numbers of connections without a number."""
    ours, results = sides["ours"], dict[str, float]()
    for name, side in IN_TURN.items():
        rates = {connections: rate_ratio(ours, sides[side], connections) for connections in ours.rounds}
        waits = {connections: p99_ratio(ours, sides[side], connections) for connections in ours.rounds}
        results |= {f"vs_{name}": min(rates.values()), f"p99_vs_{name}": max(waits.values())}
        results |= {f"vs_{name}_{connections}": ratio for connections, ratio in rates.items()}
        results |= {f"p99_vs_{name}_{connections}": ratio for connections, ratio in waits.items()}
    for name in ONCE:
        results[f"vs_mlflow_{name}"] = min(ours.rate(each) / sides[name].rate(each) for each in ours.rounds)
    results |= {f"requests_per_s_{connections}": ours.rate(connections) for connections in ours.rounds}
    batches = {size: sides["batches"].rate(size) * size for size in sides["batches"].rounds}
    results |= {f"batch_trips_per_s_{size}": rate for size, rate in batches.items()}
    return results | {"batch_trips_per_s": min(batches.values())}


def _rows(sides: dict[str, Side], lost: list[Lost], results: dict[str, float]) -> list[tuple[str, str, str]]:
    ours, rows = sides["ours"], list[tuple[str, str, str]]()
    for connections in ours.rounds:
        rows += [(f"{connections} connections: {name}", _figures(sides[key], connections), "") for key, name in NAMES.items()]
        for name, side in IN_TURN.items():
            ratio, reach = results[f"vs_{name}_{connections}"], ">= 10" if side == "mlflow" else ""
            rows.append((f"{connections} connections: ours / {NAMES[side]}", f"{ratio:.1f} times", reach))
        rows.append(("p99, ours / MLflow", f"{results[f'p99_vs_mlflow_serve_{connections}']:.2f}", "< 1"))
    for size in sides["batches"].rounds:
        rows.append((f"batches of {size:,}, trips/s", f"{sides['batches'].rate(size) * size:,.0f}", ">= 20,000"))
    most = max(each.milliseconds for each in lost)
    rows.append(("answers that kill -9 took, most", f"{results['lost_by_kill']:.0f} ({most:.0f} ms)", ""))
    return rows


def _figures(side: Side, connections: int) -> str:
    waits = f"p50 {side.wait_ms(connections, 0.5):.1f} ms, p99 {side.wait_ms(connections, 0.99):.1f} ms"
    return f"{side.rate(connections):,.0f}/s, {waits}"
