"""Candidates of other people: loaded from a file or an installed package, and held to the contract at every call.

Their code runs in the process that trains and nowhere else: what is registered is an ONNX graph, as of any candidate. Where
it comes from is part of the run's record. Whatever goes wrong in it is told in one line that names the file and its line.
"""

import hashlib
import importlib
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, PackageNotFoundError, packages_distributions, version
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from batch.candidate import Candidate, Fitted
from domain.entities.trips import Floats
from domain.errors import InvalidInput, ModelRefused, TripcastError
from domain.features import FEATURES, Matrix

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
MOST_WORDS = 300  # converters put whole models into their messages
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a candidate comes from: its file or module, the hash of that file, and the package with its version, if any."""

    source: str
    path: str
    sha256: str
    package: str = ""

    def record(self) -> dict[str, str]:
        """As parameters of the run."""
        found = {"candidate_source": self.source, "candidate_sha256": self.sha256}
        return found | ({"candidate_package": self.package} if self.package else {})


@dataclass(frozen=True, slots=True)
class FittedPlugin:
    """A trained model of somebody else. Implements `batch.candidate.Fitted`; every method raises ModelRefused."""

    inner: Fitted
    origin: Origin

    def predict(self, features: Matrix) -> NDArray[np.float32]:
        """Seconds, after a look at what came."""
        seconds = self._asked("predict", lambda: np.asarray(self.inner.predict(features)))
        self._expect("predict", seconds, (len(features),))
        return seconds.astype(np.float32)

    def importances(self) -> NDArray[np.float64]:
        """How much each input matters."""
        found = self._asked("importances", lambda: np.asarray(self.inner.importances(), dtype=np.float64))
        self._expect("importances", found, (len(FEATURES),))
        if (found < 0).any():
            raise ModelRefused(f"{self.origin.source}: importances() has negative values")
        return found

    def to_onnx(self) -> bytes:
        """The graph."""
        content = self._asked("to_onnx", self.inner.to_onnx)
        if not isinstance(content, bytes):
            raise ModelRefused(f"{self.origin.source}: to_onnx() gives {type(content).__name__} instead of bytes")
        return content

    def _asked(self, method: str, call: Callable[[], T]) -> T:
        return guarded(f"{method}()", self.origin, call, ModelRefused)

    def _expect(self, method: str, found: NDArray[Any], shape: tuple[int, ...]) -> None:
        said = f"{self.origin.source}: {method}() gives"
        if found.shape != shape:
            raise ModelRefused(f"{said} shape {found.shape} instead of {shape}")
        if not np.issubdtype(found.dtype, np.floating):
            raise ModelRefused(f"{said} {found.dtype} instead of floating-point numbers")
        if bad := int((~np.isfinite(found)).sum()):
            raise ModelRefused(f"{said} {bad} values of {len(found)} that are not finite numbers")


@dataclass(frozen=True, slots=True)
class Plugin:
    """Somebody else's candidate. Implements `batch.candidate.Candidate`."""

    inner: Candidate
    origin: Origin

    @property
    def name(self) -> str:
        """Its name."""
        return self.inner.name

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """Its hyperparameters, and where it comes from."""
        return {**self.inner.parameters, **self.origin.record()}

    def fit(self, features: Matrix, seconds: Floats, threads: int, weights: Floats | None = None) -> FittedPlugin:
        """Train. Raises ModelRefused."""
        fitted = guarded("fit()", self.origin, lambda: self.inner.fit(features, seconds, threads, weights), ModelRefused)
        for method in ("predict", "importances", "to_onnx"):
            if not callable(getattr(fitted, method, None)):
                raise ModelRefused(f"{self.origin.source}: what fit() gives, {type(fitted).__name__}, has no method {method}()")
        return FittedPlugin(fitted, self.origin)


class _ReadOnce(SourceFileLoader):
    """Runs the bytes that were hashed, and leaves no cache beside somebody's file."""

    def __init__(self, name: str, path: Path, content: bytes) -> None:
        super().__init__(name, str(path))
        self._content = content

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the base class's signature
        """Of what was read."""
        return self.source_to_code(self._content, self.path)


def from_file(path: Path) -> Plugin:
    """The `CANDIDATE` of a file. Raises InvalidInput."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    origin = Origin(str(path), str(path), hashlib.sha256(content).hexdigest())
    name = f"tripcast_candidate_{origin.sha256[:12]}"
    module = guarded("importing it", origin, lambda: _executed(name, path, content), InvalidInput)
    return _plugin(_candidate_in(module, origin), origin)


def from_module(name: str) -> Plugin:
    """The `CANDIDATE` of a module that Python can import. Raises InvalidInput."""
    module = guarded("importing it", Origin(name, "", ""), lambda: importlib.import_module(name), InvalidInput)
    origin = _origin_of(module, name, _package_of(name))
    return _plugin(_candidate_in(module, origin), origin)


def from_entry_point(entry: EntryPoint) -> Plugin:
    """What an installed package offers: a module with a `CANDIDATE`, or the candidate itself. Raises InvalidInput."""
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
    unknown = Origin(f"{entry.value} ({package})", "", "")
    loaded = guarded("loading it", unknown, entry.load, InvalidInput)
    origin = _origin_of(sys.modules[entry.module], entry.value, package)
    plugin = _plugin(_candidate_in(loaded, origin) if isinstance(loaded, ModuleType) else loaded, origin)
    if plugin.name != entry.name:
        raise InvalidInput(
            f"{entry.value} ({package}): the entry point is called {entry.name!r}, the candidate {plugin.name!r}"
        )
    return plugin


def guarded(what: str, origin: Origin, call: Callable[[], T], refusal: type[TripcastError]) -> T:
    """What the call gives, or `refusal` in one line: whatever other people's code may raise, it is not ours to print."""
    try:
        return call()
    except TripcastError:
        raise
    except (Exception, SystemExit) as error:
        words = " ".join(str(error).split())
        words = words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]}..."
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == origin.path]
        where = f", line {lines[-1]}" if lines else ""
        raise refusal(f"{origin.source}{where}: {what} failed: {type(error).__name__}: {words}") from error


def _executed(name: str, path: Path, content: bytes) -> ModuleType:
    loader = _ReadOnce(name, path, content)
    spec = spec_from_loader(name, loader, origin=str(path))
    if spec is None:
        raise ImportError(f"{path} is no Python file")
    module = sys.modules[name] = module_from_spec(spec)  # dataclasses look their module up while it is being made
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _candidate_in(module: ModuleType, origin: Origin) -> Any:  # noqa: ANN401 - whatever stands there
    if not hasattr(module, "CANDIDATE"):
        raise InvalidInput(f"{origin.source}: there is no CANDIDATE in it")
    return module.CANDIDATE


def _plugin(candidate: Any, origin: Origin) -> Plugin:  # noqa: ANN401 - whatever stands there
    for part in ("name", "parameters", "fit"):
        if not hasattr(candidate, part):
            raise InvalidInput(f"{origin.source}: its candidate, {type(candidate).__name__}, has no {part}")
    if not (isinstance(candidate.name, str) and NAME.fullmatch(candidate.name)) or candidate.name == "all":
        rule = "small letters, digits, - and _, beginning with a letter"
        raise InvalidInput(f"{origin.source}: {candidate.name!r} is no name for a candidate: {rule}")
    if not isinstance(candidate.parameters, Mapping):
        raise InvalidInput(f"{origin.source}: parameters is {type(candidate.parameters).__name__} instead of a dictionary")
    if not callable(candidate.fit):
        raise InvalidInput(f"{origin.source}: fit is not a method")
    return Plugin(candidate, origin)


def _origin_of(module: ModuleType, source: str, package: str) -> Origin:
    path = getattr(module, "__file__", None)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    return Origin(source, path or "", digest, package)


def _package_of(module: str) -> str:
    """Name and version of the installed package that a module belongs to, if any."""
    names = packages_distributions().get(module.partition(".")[0], [])
    try:
        return f"{names[0]} {version(names[0])}" if names else ""
    except PackageNotFoundError:
        return ""
