"""The jars of the embedded Kafka: fetched once into the user's cache, checked against the committed lock at every start."""

import hashlib
import shutil
import tempfile
import tomllib
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

from domain.errors import PartFailed

LOCK = Path(__file__).with_name("kafka.lock.toml")


def ensure_jars() -> Path:
    """The folder of verified jars. Downloads (about 45 MB) only when they are not there. Raises PartFailed."""
    folder = _folder()
    if not folder.exists():
        _fetch(folder)
    _check(folder)
    return folder


def jars_present() -> bool:
    """Whether a start needs no download."""
    return _folder().exists()


@cache
def _locked() -> tuple[str, dict[str, str]]:
    lock = tomllib.loads(LOCK.read_text(encoding="utf-8"))
    return lock["endpoint"], lock["sha256"]


def _folder() -> Path:
    """Named by the lock's own content, so that another version of tripcast keeps its jars."""
    return user_cache_path("tripcast") / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


def _fetch(folder: Path) -> None:
    """Download aside and rename, so that a broken download or a second start at the same time leaves no half folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as aside:
        jars = Path(aside, "jars")
        jars.mkdir()
        for jar in _download(Path(aside, "jgo")):
            shutil.copyfile(jar, jars / jar.name)
        _check(jars)
        try:
            jars.rename(folder)
        except OSError:  # another process was faster; what it left is checked as well
            if not folder.exists():
                raise


def _download(cache_dir: Path) -> list[Path]:
    endpoint, _ = _locked()
    try:
        import jgo  # noqa: PLC0415 - an optional package, needed once a machine

        jgo.build(endpoint, cache_dir=cache_dir)
    except ImportError as error:
        raise PartFailed('the embedded Kafka needs `pip install "tripcast[local]"`, or set TRIPCAST_KAFKA to yours') from error
    except Exception as error:  # jgo raises what its HTTP and XML libraries raise
        raise PartFailed(
            f"the jars of Kafka could not be downloaded ({error}); try again, or set TRIPCAST_KAFKA to yours"
        ) from error
    return sorted(cache_dir.rglob("*.jar"))


def _check(folder: Path) -> None:
    _, expected = _locked()
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise PartFailed(f"Kafka's jars differ from {LOCK.name}: {', '.join(wrong[:5])}; remove {folder} and start again")
