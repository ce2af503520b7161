"""One step of event time, as the loop sees it: the sums that have become final, and nothing else."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from domain.tallies import CHAMPION, Cells, Flows, Inputs, Pairs, Sums

S = TypeVar("S", bound=Sums)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The step that ended at `minute` (since 1970, UTC).

    `mature` and `pairs` are of the cohort that has just become mature, which began at `cohort`; `flows`, `inputs` and `begun`
    (starts by area, in `Cells`) are of the step itself. All minutes in them are the step's or the cohort's first.
    """

    minute: int
    cohort: int
    mature: Cells
    pairs: Pairs
    flows: Flows
    inputs: Inputs
    begun: Cells

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        kinds = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value.as_lists() if isinstance(value, Sums) else value for name, value in kinds.items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Step":
        """What `as_dict` gave."""
        kinds: dict[str, type[Sums]] = {"mature": Cells, "pairs": Pairs, "flows": Flows, "inputs": Inputs, "begun": Cells}
        sums: dict[str, Any] = {name: kind.from_lists(content[name]) for name, kind in kinds.items()}
        return cls(minute=content["minute"], cohort=content["cohort"], **sums)


def mature_cohort(cells: Cells, first: int, until: int) -> Cells:
    """The cohort of one step as rows by role, version, area and vendor."""
    return _at(cells.between(first, until), first)


def begun_in(cells: Cells, first: int, until: int) -> Cells:
    """The champion's starts of one step by area; nothing but `started` is told, for nothing else is final."""
    now = cells.between(first, until)
    now = now.take(now.role == CHAMPION)
    nothing = np.zeros(len(now), dtype=np.int64)
    names = [field.name for field in fields(Cells) if field.name not in ("minute", "area", "started")]
    return _at(replace(now, **dict.fromkeys(names, nothing)), first)


def in_step(sums: S, first: int, until: int) -> S:
    """The rows of one step, added up."""
    return _at(sums.between(first, until), first)


def _at(sums: S, minute: int) -> S:
    return sums.with_minute(minute).added()
