"""What a candidate must be able to do, and how candidates are found."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from batch import candidates
from domain.entities.trips import Floats
from domain.errors import InvalidInput
from domain.features import Matrix

SEED = 7
ALL = "all"


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

        Needs at most n * f bytes beyond its inputs.
        """
        ...


def discover() -> list[Candidate]:
    """Every `CANDIDATE` in the folder, by file name."""
    return [module.CANDIDATE for module in _modules()]


def chosen(names: str) -> list[Candidate]:
    """The candidates with these names, separated by commas, or `all`. Raises InvalidInput.

    `<name>-quick` is the candidate's own cheaper settings, where its file has a `QUICK`.
    """
    if names == ALL:
        return discover()
    known = {each.name: each for each in discover()}
    known |= {f"{module.CANDIDATE.name}-quick": module.QUICK for module in _modules() if hasattr(module, "QUICK")}
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise InvalidInput(f"no candidate is called {unknown[0]!r}; there are {', '.join(known)}, or {ALL}")
    return [known[name] for name in wanted]


def _modules() -> list[Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(candidates.__path__))
    return [importlib.import_module(f"{candidates.__name__}.{name}") for name in names]
