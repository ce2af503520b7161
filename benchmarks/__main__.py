"""`make bench`: measure side by side in one run, print a table, write benchmarks/results/latest.json."""

import argparse

from benchmarks.api import suite as api_suite
from benchmarks.board import suite as board_suite
from benchmarks.scale import suite as scale_suite
from benchmarks.storage import suite as storage_suite
from benchmarks.stream import suite as stream_suite
from benchmarks.training import suite as training_suite
from benchmarks.world import new_world

# What is measured in one world, in this order; storage empties the tables first.
WORLDS = (
    {"stream": stream_suite.run, "storage": storage_suite.run},
    {"scale": scale_suite.run},
    {"api": api_suite.run},
    {"board": board_suite.run},
    {"training": training_suite.run},
)
LARGE = {"training-large": training_suite.run_large}  # only when asked for: minutes each
PARTS = {name: run for parts in (*WORLDS, LARGE) for name, run in parts.items()}


def main() -> None:
    """Run all parts, or the one that `--only` names."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS), help="measure one part")
    parser.add_argument("--rounds", type=int, default=3, help="paired rounds of each comparison")
    arguments = parser.parse_args()
    for parts in [{arguments.only: PARTS[arguments.only]}] if arguments.only else WORLDS:
        with new_world() as world:
            for run in parts.values():
                run(world, arguments.rounds)


if __name__ == "__main__":
    main()
