"""What somebody would write without us: the libraries' own calls with the parameters of our candidates."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def model_of(name: str, given: Mapping[str, Any], rows: int, threads: int) -> Any:
    """An untrained model. Only the library that is asked for is loaded."""
    if name == "linear_regression":
        from sklearn.linear_model import LinearRegression  # noqa: PLC0415

        return LinearRegression(n_jobs=threads)
    if name == "random_forest":
        from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415

        return RandomForestRegressor(
            n_estimators=given["trees"],
            min_samples_leaf=given["least_leaf"],
            max_features=given["inputs_per_split"],
            max_depth=given["most_depth"],
            max_samples=min(rows, given["most_rows_per_tree"]),
            n_jobs=threads,
            random_state=7,
        )
    from xgboost import XGBRegressor  # noqa: PLC0415

    return XGBRegressor(
        objective=given["objective"],
        tweedie_variance_power=given["variance_power"],
        tree_method="hist",
        grow_policy="lossguide",
        max_depth=0,
        max_leaves=given["leaves"],
        n_estimators=given["trees"],
        learning_rate=given["learning_rate"],
        min_child_weight=given["least_leaf_weight"],
        reg_lambda=given["penalty"],
        subsample=given["rows_per_tree"],
        colsample_bytree=given["inputs_per_tree"],
        max_bin=given["bins"],
        n_jobs=threads,
        random_state=7,
    )


def main(name: str, parameters: str, folder: Path, threads: int) -> None:
    """Train, then say how long that took and how far the answers are off."""
    features, seconds = np.load(folder / "learned-features.npy"), np.load(folder / "learned-seconds.npy")
    model = model_of(name, json.loads(parameters), len(seconds), threads)
    started = time.perf_counter()
    model.fit(features, seconds)
    took = time.perf_counter() - started
    error = model.predict(np.load(folder / "held_out-features.npy")) - np.load(folder / "held_out-seconds.npy")
    json.dump({"seconds": took, "rmse_minutes": float(np.sqrt(np.mean(error**2))) / 60}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
