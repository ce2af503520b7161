"""How often Python looks for cycles of objects: seldom, since a batch leaves none and makes thousands of objects at once."""

import gc

# Objects made and not freed before the youngest are looked at, and how many such looks before the next older ones are. With
# Python's own numbers (700, 10, 10) the collector took a sixth of the worker's processor time, and each of its long looks
# made a batch wait.
THRESHOLDS = (50_000, 20, 50)


def look_seldom() -> None:
    """From now on; and never again at what exists now, once everything is loaded and opened."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
