"""Verified copies of model versions in `<data>/models/<version>/`, and which of them was champion last."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from adapters.onnx import package
from adapters.onnx.model import OnnxModel, open_model
from domain.entities.models import ModelVersion
from domain.errors import ModelRefused
from domain.ports import Fetch

CHAMPION = "champion.json"
KEPT_COPIES = 10  # the champion's copy is the one that matters; the others spare a download


@dataclass(frozen=True, slots=True)
class LocalModels:
    """Implements `domain.ports.ModelLibrary` in a folder that several processes may share.

    A copy is written beside its place and renamed into it, so that a reader sees a whole copy or none.
    """

    folder: Path
    feature_schema: str

    def admit(self, version: ModelVersion, fetch: Fetch) -> OnnxModel:
        """Open the copy here when it passes every check, else fetch one and open that."""
        try:
            return self._open(version, self._place(version))
        except (FileNotFoundError, NotADirectoryError, ModelRefused):
            with self._incoming() as incoming:
                fetch(replace(version, files=package.needed(version)), incoming)
                model = self._open(version, incoming)
                self._keep(version, incoming)
            return model

    def last_champion(self) -> ModelVersion | None:
        """What `remember_champion` wrote last, or None when nothing readable is there."""
        try:
            return msgspec.json.decode((self.folder / CHAMPION).read_bytes(), type=ModelVersion)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def remember_champion(self, version: ModelVersion) -> None:
        """Write the pointer, and drop the oldest copies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f".{CHAMPION}-{secrets.token_hex(4)}"
        beside.write_bytes(msgspec.json.encode(version))
        beside.replace(self.folder / CHAMPION)
        self._prune(version)

    def _open(self, version: ModelVersion, folder: Path) -> OnnxModel:
        try:
            content = package.read(version, folder)
        except FileNotFoundError as error:
            if not folder.is_dir():
                raise
            raise ModelRefused(f"version {version.version}: {Path(error.filename).name} is missing") from error
        return open_model(version, content, self.feature_schema)

    def _place(self, version: ModelVersion) -> Path:
        return self.folder / str(version.version)

    @contextmanager
    def _incoming(self) -> Iterator[Path]:
        incoming = self.folder / f".incoming-{os.getpid()}-{secrets.token_hex(4)}"
        incoming.mkdir(parents=True)
        try:
            yield incoming
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    def _keep(self, version: ModelVersion, incoming: Path) -> None:
        place = self._place(version)
        aside = incoming.with_name(f"{incoming.name}-replaced")
        try:
            if place.exists():  # a copy that failed its checks, or that of another registry's version of this number
                place.rename(aside)
            incoming.rename(place)
        except OSError:  # another process put its copy there in between: just as good, for it checked it too
            pass
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _prune(self, champion: ModelVersion) -> None:
        copies = sorted((path for path in self.folder.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))
        for path in copies[:-KEPT_COPIES]:
            if path != self._place(champion):
                shutil.rmtree(path, ignore_errors=True)
