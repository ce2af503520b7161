"""The results file as tables of a document read it: a figure by its name, or the words for one that is missing."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MISSING = "(to measure)"


@dataclass(frozen=True, slots=True)
class Results:
    """What `benchmarks.report.save` wrote."""

    known: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Results":
        """From the file."""
        return cls(json.loads(path.read_text()))

    def __contains__(self, name: str) -> bool:
        """Is there a figure of this name?"""
        return name in self.known

    def figure(self, name: str, form: str = "{:,.0f}") -> str:
        """The figure `<part>.<name>` in a form of `str.format`, such as `{:.1f} ms`."""
        return form.format(self.known[name]) if name in self.known else MISSING

    def rate(self, name: str) -> str:
        """A rate, to three digits: runs differ by more than the fourth."""
        return three_digits(self.known[name]) if name in self.known else MISSING

    def details(self, part: str) -> dict[str, Any]:
        """How the part's figures came about; empty when it was never measured."""
        return dict(self.known.get("details", {}).get(part, {}))

    def measured(self, part: str) -> str:
        """Date, machine and duration of a part's run, as a sentence."""
        details = self.details(part)
        if not details:
            return f"{MISSING[1:-1].capitalize()}: `make bench ONLY={part}`."
        machine = f"{details['cores']} cores, {details['memory_gib']} GiB, Python {details['python']}, {details['platform']}"
        return (
            f"Measured {details['measured_at'][:10]} on {machine}; `make bench ONLY={part}` took {details['took_seconds']} s."
        )


def three_digits(value: float) -> str:
    """65,746 as 65,700; what is below a hundred keeps its whole part."""
    digits = math.floor(math.log10(value)) + 1
    return f"{round(value, min(0, 3 - digits)):,.0f}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    head, *body = ("|" + "".join(f" {cell} |" if cell else " |" for cell in line) for line in (columns, *rows))
    return "\n".join([head, f"|{'---|' * len(columns)}", *body])
