"""Programs that a test needs from the machine: skipped without them, failed where `REQUIRE_PROGRAMS` is set (as in CI)."""

import os
import shutil

import pytest


def needed(*programs: str, package: str) -> None:
    """Skip the test unless all of them are on the path; for a whole file in an autouse fixture. `package`: Debian's name."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    reason = f"no {', '.join(missing)} on this machine: `apt-get install {package}`"
    if os.environ.get("REQUIRE_PROGRAMS"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
