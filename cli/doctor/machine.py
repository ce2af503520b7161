"""What can be said about this machine without asking any system."""

import importlib.metadata
import platform
import shutil
import stat
import sys
from pathlib import Path

from adapters.environment.origins import unknown_names
from adapters.environment.settings import PREFIX, secrets_folder
from cli.doctor.findings import Finding, note, well, wrong
from cli.embedded.java import OLDEST_JAVA, find_java, java_version
from cli.settings import StackSettings, roles
from cli.stack.folder import DataFolder

OLDEST_PYTHON = (3, 11)
PACKAGES = ("faust-streaming", "aiokafka", "asyncpg", "mlflow", "onnxruntime")
ENOUGH_DISK_GB, LITTLE_DISK_GB = 5.0, 1.0


def python() -> Finding:
    """The interpreter and the packages that matter most."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    found = f"Python {platform.python_version()}; {versions}"
    if sys.version_info < OLDEST_PYTHON:
        return wrong("Python", found, "install Python 3.11 or newer, and run `make clean env`")
    return well("Python", found)


def java() -> Finding:
    """A runtime for the embedded Kafka. Raises PartFailed."""
    path = find_java()
    return well("Java", f"{java_version(path)} at {path} (the embedded Kafka needs {OLDEST_JAVA})")


def disk(data: Path) -> Finding:
    """Free space where the data folder is or will be."""
    place = next(folder for folder in (data, *data.parents) if folder.exists())
    free_gb = shutil.disk_usage(place).free / 1e9
    found = f"{free_gb:,.1f} GB free at {place}"
    if free_gb < LITTLE_DISK_GB:
        return wrong("disk", found, "free some space, or choose another folder with --data or TRIPCAST_DATA")
    if free_gb < ENOUGH_DISK_GB:
        return note("disk", found, f"keep {ENOUGH_DISK_GB:.0f} GB free for a month of trips and Kafka's log")
    return well("disk", found)


def stack(folder: DataFolder) -> Finding:
    """Whether a local stack runs, and on which ports."""
    ports = ", ".join(f"{name} {port}" for name, port in sorted(folder.ports().items()))
    holder = folder.holder()
    if holder is None:
        return note("local stack", f"none runs on {folder.path}", "`make run` starts one; your own systems need none")
    return well("local stack", f"process {holder} on {folder.path}; ports: {ports}")


def secrets() -> Finding:
    """Whether secrets that are files are their reader's alone. Raises InvalidInput for a folder that is none."""
    folder = secrets_folder()
    if folder is None:
        return well("secrets", "none as files")
    found = [path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(PREFIX.lower())]
    loose = sorted(path.name for path in found if path.stat().st_mode & stat.S_IRWXO)
    if loose:
        return note("secrets", f"every user of this machine may read {', '.join(loose)} in {folder}", "`chmod o= FILE`")
    return well("secrets", f"{len(found)} files in {folder}")


def names() -> Finding:
    """Settings that mean nothing."""
    unknown = unknown_names(roles().values())
    if not unknown:
        return well("settings", f"no unknown TRIPCAST_* names; {len(StackSettings.model_fields)} settings of the stack")
    texts = [f"{name} (did you mean {meant}?)" if meant else name for name, meant in unknown.items()]
    return note(
        "settings", f"unknown: {', '.join(texts)}", "remove or correct them: they have no effect; see `tripcast config`"
    )
