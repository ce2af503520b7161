"""One step of event time, as the loop sees it: the sums that have become final, and nothing else."""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from domain.sums import Cells, Flows, Inputs, Pairs, Sums

S = TypeVar("S", bound=Sums)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The step that ended at `minute` (since 1970, UTC).

    `mature` and `pairs` are of the cohort that has just become mature, which began at `cohort`; `flows` and `inputs`
    are of the step itself. All minutes in them are the step's or the cohort's first.
    """

    minute: int
    cohort: int
    mature: Cells
    pairs: Pairs
    flows: Flows
    inputs: Inputs

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        kinds = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value.as_lists() if isinstance(value, Sums) else value for name, value in kinds.items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Step":
        """What `as_dict` gave."""
        kinds: dict[str, type[Sums]] = {"mature": Cells, "pairs": Pairs, "flows": Flows, "inputs": Inputs}
        sums: dict[str, Any] = {name: kind.from_lists(content[name]) for name, kind in kinds.items()}
        return cls(minute=content["minute"], cohort=content["cohort"], **sums)


def in_step(sums: S, first: int, until: int) -> S:
    """The rows of the minutes [first, until), added up as those of the first."""
    return sums.between(first, until).with_minute(first).added()
