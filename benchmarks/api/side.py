"""One server's rounds, and what they come to."""

import statistics
from dataclasses import dataclass, field

import numpy as np

from benchmarks.api.load import Answers, Measured, load

WARM_UP = 1.0


@dataclass(slots=True)
class Side:
    """Rounds by number of connections, or by what else was varied."""

    rounds: dict[int, list[Measured]] = field(default_factory=dict)

    def add(self, address: str, requests: list[bytes], connections: int, seconds: float, by: int | None = None) -> Measured:
        """One round."""
        measured = load(address, requests, connections, seconds, WARM_UP)
        self.rounds.setdefault(connections if by is None else by, []).append(measured)
        return measured

    def rate(self, connections: int) -> float:
        """Requests a second, median of the rounds."""
        return statistics.median(each.rate for each in self.rounds[connections])

    def wait_ms(self, connections: int, quantile: float) -> float:
        """A quantile of all waits of all rounds, milliseconds."""
        return float(np.quantile(np.concatenate([each.waits for each in self.rounds[connections]]), quantile) * 1000)

    def answers(self) -> list[Answers]:
        """Everything that came back, warm-ups included."""
        return [each.answers for measured in self.rounds.values() for each in measured]

    def figures(self) -> dict[str, dict[str, float]]:
        """For the details of the results file."""
        return {
            str(connections): {
                "requests_per_s": round(self.rate(connections), 1),
                "p50_ms": round(self.wait_ms(connections, 0.5), 2),
                "p99_ms": round(self.wait_ms(connections, 0.99), 2),
                "answers": sum(len(each.waits) for each in measured),
            }
            for connections, measured in self.rounds.items()
        }


def rate_ratio(ours: Side, theirs: Side, connections: int) -> float:
    """How many times their requests a second: the median over pairs of rounds that followed each other."""
    pairs = zip(ours.rounds[connections], theirs.rounds[connections], strict=True)
    return statistics.median(mine.rate / other.rate for mine, other in pairs)


def p99_ratio(ours: Side, theirs: Side, connections: int) -> float:
    """Our 99th percentile as a share of theirs."""
    return ours.wait_ms(connections, 0.99) / theirs.wait_ms(connections, 0.99)
