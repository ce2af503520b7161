"""What every rival is told."""

import argparse


def parser() -> argparse.ArgumentParser:
    """Addresses, topics, the model, and how many events there are."""
    found = argparse.ArgumentParser()
    for name in ("kafka", "database", "topic", "output", "model"):
        found.add_argument(f"--{name}", required=True)
    found.add_argument("--events", type=int, required=True)
    found.add_argument("--batch", type=int, required=True, help="events in a commit")
    return found
