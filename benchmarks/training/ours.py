"""Our candidate on the same rows, as a training runs it."""

import json
import sys
import time
from pathlib import Path

import numpy as np

from batch.catalogue import chosen


def main(name: str, folder: Path, threads: int) -> None:
    """Train, then say how long that took and how far the answers are off."""
    features, seconds = np.load(folder / "learned-features.npy"), np.load(folder / "learned-seconds.npy")
    (candidate,) = chosen(name)
    started = time.perf_counter()
    fitted = candidate.fit(features, seconds, threads)
    took = time.perf_counter() - started
    error = fitted.predict(np.load(folder / "held_out-features.npy")) - np.load(folder / "held_out-seconds.npy")
    json.dump({"seconds": took, "rmse_minutes": float(np.sqrt(np.mean(error**2))) / 60}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
