"""What a candidate must be able to do. Ours are in `batch/candidates/`; `batch.catalogue` finds those and everybody else's."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Floats
from domain.features import Matrix

SEED = 7


class Fitted(Protocol):
    """A trained model."""

    def predict(self, features: Matrix) -> NDArray[np.float32]:
        """Seconds of shape (n,), by the library that trained it: what the graph is checked against. Not clipped."""
        ...

    def importances(self) -> NDArray[np.float64]:
        """How much each input matters, shape (f,), not negative."""
        ...

    def to_onnx(self) -> bytes:
        """An ONNX model with one input, float32 (n, f), whose first output is seconds, (n,) or (n, 1). Not clipped."""
        ...


class Candidate(Protocol):
    """A way to train. Deterministic: the same rows and threads give the same model."""

    @property
    def name(self) -> str:
        """Short, unique; it becomes the kind of the registered version."""
        ...

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """The hyperparameters, for the record."""
        ...

    def fit(self, features: Matrix, seconds: Floats, threads: int, weights: Floats | None = None) -> Fitted:
        """Train on features of shape (n, f) and durations of shape (n,), each row counting as much as its weight.

        The columns are FEATURES. (Those of ours that the course has too also learn from its eight, for comparison.)

        Needs at most n * f bytes beyond its inputs.
        """
        ...


@runtime_checkable
class Boosting(Candidate, Protocol):
    """A candidate of XGBoost's trees: what can also be trained by a cluster, in parts (`batch.on_dask`)."""

    def regressor(self, threads: int | None = None) -> Any:  # noqa: ANN401 - XGBoost is untyped
        """An `XGBRegressor` with all parameters, not yet trained."""
        ...

    def fitted(self, model: Any) -> Fitted:  # noqa: ANN401
        """A model that was trained with these parameters."""
        ...
