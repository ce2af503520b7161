"""The API's tables in docs/performance.md."""

from collections.abc import Callable

from benchmarks.figures import MISSING, Results, table, three_digits

CONNECTIONS = (1, 8, 64)
SIDES = {
    "ours": "tripcast, with interval and log",
    "mlflow": "MLflow, pyfunc with a signature",
    "mlserver": "MLServer, the same model",
    "bentoml": "BentoML, the same graph and features",
    "without_signature": "MLflow, pyfunc without",
    "registered": "MLflow, ONNX, features made by the caller",
}
RATIOS = {"mlflow_serve": "MLflow with a signature", "mlserver": "MLServer", "bentoml": "BentoML"}
BATCHES = (1_000, 10_000)


def rivals(results: Results) -> str:
    """Requests a second and waits of each side, and ours in relation to others."""
    details = results.details("api")
    rows = [(words, *(_cell(details.get(name, {}).get(str(each))) for each in CONNECTIONS)) for name, words in SIDES.items()]
    for name, words in RATIOS.items():
        ratios = (results.figure(f"api.vs_{name}_{each}", "{:.1f} times") for each in CONNECTIONS)
        rows.append((f"ours / {words}", *ratios))
    waits = (results.figure(f"api.p99_vs_mlflow_serve_{each}", "{:.2f}") for each in CONNECTIONS)
    rows.append(("p99, ours / MLflow with a signature", *waits))
    columns = ("requests/s (p50, p99)", *(f"{each} connection{'s' * (each > 1)}" for each in CONNECTIONS))
    return f"{table(columns, rows)}\n\n{results.measured('api')}"


def batches(results: Results) -> str:
    """Trips a second of the batch route."""
    found = results.details("api").get("batches", {})
    rows = [
        (f"batches of {size:,}", three_digits(found[str(size)]["requests_per_s"] * size) if str(size) in found else MISSING)
        for size in BATCHES
    ]
    return table(("`POST /predict/batch`, two connections, every trip logged", "trips/s"), rows)


def _cell(figures: dict[str, float] | None) -> str:
    if figures is None:
        return MISSING
    return f"{three_digits(figures['requests_per_s'])} ({_ms(figures['p50_ms'])}, {_ms(figures['p99_ms'])} ms)"


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 20 else f"{value:.0f}"  # noqa: PLR2004 - a tenth of a millisecond matters below it


TABLES: dict[str, Callable[[Results], str]] = {"api": rivals, "api-batches": batches}
