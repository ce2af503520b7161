"""Every worker pays for River at its start; what it does not need must not come with it."""

import subprocess
import sys

LOOK = """
import sys
from adapters.river import detectors
heavy = [name for name in ("pandas", "sklearn", "sqlalchemy", "scipy.stats") if name in sys.modules]
assert not heavy, heavy
from river.drift import datasets
from river.drift.kswin import KSWIN
print(datasets.AirlinePassengers.__name__, KSWIN.__name__)
"""


def test_river_comes_without_what_we_do_not_use_and_that_can_still_be_had() -> None:
    assert subprocess.check_output([sys.executable, "-c", LOOK], text=True).strip() == "AirlinePassengers KSWIN"
