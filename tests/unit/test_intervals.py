"""Conformal intervals cover what they claim."""

import numpy as np
import pytest

from domain.intervals import IntervalBands, calibrate


def _sample(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    predicted = rng.lognormal(6.3, 0.7, count).astype(np.float32)
    spread = np.where(predicted < 500, 0.5, 0.2)  # short trips are relatively noisier
    return predicted, predicted * np.exp(rng.normal(0.05, spread))


def test_new_trips_are_covered_nine_times_in_ten_in_every_band():
    bands = calibrate(*_sample(40_000, seed=1))
    predicted, actual = _sample(40_000, seed=2)
    lower, upper = bands.of(predicted)
    covered = (actual >= lower) & (actual <= upper)
    for number in range(len(bands.lower_factors)):
        inside = np.searchsorted(bands.edges_seconds, predicted, side="right") == number
        assert covered[inside].mean() == pytest.approx(0.9, abs=0.02)


def test_noisier_bands_get_wider_intervals():
    bands = calibrate(*_sample(40_000, seed=1))
    widths = np.array(bands.upper_factors) / np.array(bands.lower_factors)
    assert widths[0] > 2 * widths[-1]


def test_few_rows_give_one_band():
    assert len(calibrate(*_sample(150, seed=1)).lower_factors) == 1


def test_identical_predictions_leave_no_band_empty():
    bands = calibrate(np.full(2000, 600.0, dtype=np.float32), np.linspace(300, 900, 2000))
    lower, upper = bands.of(np.array([1.0, 600.0, 9000.0], dtype=np.float32))
    assert np.isfinite(lower).all()
    assert (upper > lower).all()


@pytest.mark.parametrize("actual", [[], [0.0]])
def test_calibration_refuses_what_has_no_logarithm(actual):
    with pytest.raises(ValueError, match="positive"):
        calibrate(np.ones(len(actual), dtype=np.float32), np.array(actual))


def test_the_bounds_of_a_row_do_not_depend_on_its_neighbours():
    bands = IntervalBands((300.0, 900.0), (0.5, 0.6, 0.7), (2.0, 1.8, 1.6))
    predicted = np.random.default_rng(3).uniform(1, 5000, 1000).astype(np.float32)
    together = np.stack(bands.of(predicted))
    alone = np.concatenate([np.stack(bands.of(predicted[row : row + 1])) for row in range(1000)], axis=1)
    assert np.array_equal(together, alone)
