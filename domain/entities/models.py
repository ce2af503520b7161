"""Model versions: what the registry says of one, and the files that make it up."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Alias(StrEnum):
    """The names under which the registry holds versions that have a job."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """Size and hash of one file of a version, as the registry recorded them; checked before the file is opened."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered version. Metrics by MLflow name, e.g. `rmse_minutes`; `kind` is the candidate's name."""

    version: int
    run_id: str
    kind: str
    feature_schema: str
    created_at: datetime
    files: tuple[ModelFile, ...]
    metrics: dict[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def is_same(self, other: "ModelVersion | None") -> bool:
        """The same number and the same bytes: a number alone is not enough when a registry was set up anew."""
        return other is not None and (self.version, self.files) == (other.version, other.files)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that must not score, and the check that it failed."""

    version: ModelVersion
    reason: str


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """Something that happened to a model, the stream or a role, with who did it and why; kept for ever."""

    kind: str
    subject: str
    actor: str
    reason: str
    at: datetime
    details: dict[str, object] = field(default_factory=dict)


class RoleChange(StrEnum):
    """Kinds of the lifecycle events that say who is champion from then on."""

    PROMOTED = "model.promoted"
    ROLLED_BACK = "model.rolled_back"


def role_change(
    kind: RoleChange, version: ModelVersion, replaced: ModelVersion | None, *, actor: str, reason: str, at: datetime
) -> LifecycleEvent:
    """The event of a version becoming champion instead of another."""
    other = None if replaced is None or replaced.version == version.version else replaced.version
    details: dict[str, object] = {"version": version.version, "run_id": version.run_id, "replaced": other}
    return LifecycleEvent(kind, f"version {version.version}", actor, reason, at, details)
