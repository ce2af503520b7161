"""The notebook runs from its first cell to its last, and what it draws and counts is there and plausible."""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.image
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from tests.pages import REPOSITORY

NOTEBOOK = REPOSITORY / "notebooks" / "exploration.ipynb"
REAL = REPOSITORY.parent / "shared" / "data" / "nyc_trips_2016.csv"
FIGURES = 5
LEAST_INK = 0.04  # of the pixels; axes without data have up to 0.03
LAST_CELL = """
import json
print(json.dumps({
    "rows": rows, "trips": len(order), "refused": refused.total(), "fit": len(trips), "reasons": sorted(refused),
    "hours": int(np.isfinite(by_hour).sum()), "shown": int(density.sum()), "hexbin": int(bins.get_array().sum()),
    "durations": int(durations.sum()), "distances": int(distances.sum()),
    "correlation": dict(zip([FEATURES[column] for column in varied], correlation.tolist())),
    "traps": traps, "zone": zone, "baselines": {name: [s.rmse_minutes, s.r2] for name, s in baselines.items()},
}))
"""


def executed(**environment: str) -> tuple[nbformat.NotebookNode, dict[str, Any]]:
    """The notebook with its outputs, and what its variables hold in the end."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(LAST_CELL))
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(REPOSITORY)}}).execute(
        env={**os.environ, **environment}
    )
    return notebook, json.loads(notebook.cells[-1].outputs[0].text)


def ink_of(notebook: nbformat.NotebookNode, folder: Path) -> list[float]:
    """For each figure the share of its pixels that are neither white nor nearly so."""
    pictures = [output.data["image/png"] for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output
                and "image/png" in output.data]  # fmt: skip
    found = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number}.png"
        path.write_bytes(base64.b64decode(picture))
        found.append(float(np.mean(matplotlib.image.imread(path)[:, :, :3].min(axis=2) < 0.8)))
    return found


def check(found: Mapping[str, Any]) -> None:
    """What holds for any trips."""
    assert found["trips"] + found["refused"] == found["rows"]
    assert 0.98 < found["fit"] / found["rows"] < 1
    assert found["hours"] == 7 * 24
    assert found["shown"] == found["fit"]
    assert min(found[name] for name in ("hexbin", "durations", "distances")) > 0.95 * found["fit"]
    assert found["correlation"]["grid_km"] > 0.6
    traps, (honest, *_) = found["traps"], found["traps"].values()
    assert traps["with the trip's own speed"] < honest / 2
    assert traps["with averages over all trips"] < honest
    assert traps["a linear model with both times as numbers"] < 0.1 < traps["a linear model of the 30 inputs"]
    errors = {name: rmse for name, (rmse, _) in found["baselines"].items()}
    assert all(np.isfinite(errors[name]) and 1 < errors[name] < 30 for name in errors)
    assert errors["linear, our thirty inputs"] < min(errors["mean of all trips"], errors["median speed"])
    assert found["zone"]["offsets from UTC, hours"] == [-5.0, -4.0]
    assert found["zone"]["trips across a change of the clocks"] > 0


def test_the_notebook_explores_the_simulated_city(tmp_path: Path) -> None:
    notebook, found = executed(TRIPS="", ZONES="")
    check(found)
    assert found["rows"] == 20_000
    assert found["reasons"] == ["coordinates_missing", "outside_service_area"]
    ink = ink_of(notebook, tmp_path)
    assert len(ink) == FIGURES
    assert min(ink) > LEAST_INK, ink


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_file(), reason=f"the real trips are not at {REAL}")
def test_the_notebook_explores_real_trips(tmp_path: Path) -> None:
    lines = REAL.read_text().splitlines()
    some = tmp_path / "trips.csv"
    some.write_text("\n".join([lines[0], *lines[1::3]]))
    notebook, found = executed(TRIPS=str(some), ZONES="")
    check(found)
    assert found["rows"] == len(lines[1::3])
    assert found["traps"]["the 30 inputs, split at random"] < found["traps"]["honest: the 30 inputs, split by time"]
    assert min(ink_of(notebook, tmp_path)) > LEAST_INK
