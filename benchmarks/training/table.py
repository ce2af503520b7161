"""The training tables in docs/performance.md."""

from collections.abc import Callable

from benchmarks.figures import Results, table
from benchmarks.training.suite import FEW, MANY

LARGE = ("random_forest", MANY)
CANDIDATES = {"linear_regression": "linear regression", "random_forest": "random forest", "xgboost": "XGBoost"}


def fits(results: Results) -> str:
    """Each candidate with either number of rows: seconds and peak memory, and both in relation to the plain call."""
    rows = []
    for count in (FEW, MANY):
        for name, words in CANDIDATES.items():
            at = f"{'training-large' if (name, count) == LARGE else 'training'}.{name}_{count}"
            figures = (
                results.figure(f"{at}_seconds", "{:.1f} s"),
                results.figure(f"{at}_vs_plain", "{:.2f} times"),
                results.figure(f"{at}_peak_mb", "{:,.0f} MB"),
                results.figure(f"{at}_peak_vs_plain", "{:.2f} times"),
            )
            rows.append((f"{words}, {count:,} rows", *figures))
    columns = ("training", "ours", "/ plain call", "peak memory", "/ plain call")
    return f"{table(columns, rows)}\n\n{results.measured('training')} {results.measured('training-large')}"


def whole(results: Results) -> str:
    """A training from beginning to end."""
    rows = [
        (
            f"{count:,}",
            results.figure(f"{part}.whole_{count}_seconds", "{:.0f} s"),
            results.figure(f"{part}.whole_{count}_peak_mb", "{:,.0f} MB"),
        )
        for part, count in (("training", FEW), ("training-large", MANY))
    ]
    return table(("trips", "`tripcast train`", "peak memory"), rows)


TABLES: dict[str, Callable[[Results], str]] = {"training": fits, "training-whole": whole}
