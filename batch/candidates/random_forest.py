"""A random forest: many deep trees, each grown on its own sample of the trips."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestRegressor

from batch.candidate import SEED
from domain.entities.trips import Floats
from domain.features import Matrix


@dataclass(frozen=True, slots=True)
class FittedForest:
    """A scikit-learn forest."""

    model: RandomForestRegressor

    def predict(self, features: Matrix) -> NDArray[np.float32]:
        """Seconds."""
        return np.asarray(self.model.predict(features), dtype=np.float32)

    def importances(self) -> NDArray[np.float64]:
        """Share of the reduction in variance."""
        return np.asarray(self.model.feature_importances_)

    def to_onnx(self) -> bytes:
        """By skl2onnx."""
        example = np.zeros((1, self.model.n_features_in_), dtype=np.float32)
        return bytes(to_onnx(self.model, example, target_opset={"": 15, "ai.onnx.ml": 3}).SerializeToString())


@dataclass(frozen=True, slots=True)
class RandomForest:
    """Bounded in every direction, so that ten million trips neither fill the memory nor make a model of gigabytes."""

    name: str = "random_forest"
    trees: int = 60
    least_leaf: int = 5
    most_rows_per_tree: int = 150_000
    inputs_per_split: float = 0.33
    most_depth: int = 18

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """What can be set."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    def fit(self, features: Matrix, seconds: Floats, threads: int, weights: Floats | None = None) -> FittedForest:
        """Train; each tree sees as many rows as there are, drawn with repetition, up to the limit."""
        model = RandomForestRegressor(
            n_estimators=self.trees,
            min_samples_leaf=self.least_leaf,
            max_features=self.inputs_per_split,
            max_depth=self.most_depth,
            max_samples=min(len(features), self.most_rows_per_tree),
            n_jobs=threads,
            random_state=SEED,
        )
        return FittedForest(model.fit(features, seconds, sample_weight=weights))


CANDIDATE = RandomForest()
