"""A registry in memory; the contract tests hold it to what MLflow does."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from domain.entities.models import Alias, ModelFile, ModelVersion
from domain.errors import RegistryUnreachable, UnknownVersion


@dataclass
class InMemoryRegistry:
    """Implements `domain.ports.ModelRegistry`. Set `down` to make every call raise RegistryUnreachable."""

    down: bool = False
    downloads: list[int] = field(default_factory=list)
    _versions: dict[int, ModelVersion] = field(default_factory=dict)
    _files: dict[int, dict[str, bytes]] = field(default_factory=dict)
    _aliases: dict[Alias, int] = field(default_factory=dict)

    def add(
        self, files: Mapping[str, bytes], kind: str, feature_schema: str, metrics: Mapping[str, float] | None = None
    ) -> int:
        """Register a version with the true sizes and hashes of its files; returns its number."""
        version = len(self._versions) + 1
        recorded = tuple(
            ModelFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in sorted(files.items())
        )
        self._files[version] = dict(files)
        self._versions[version] = ModelVersion(
            version,
            f"run-{version}",
            kind,
            feature_schema,
            datetime(2026, 1, version, tzinfo=UTC),
            recorded,
            dict(metrics or {}),
        )
        return version

    def replace_file(self, version: int, name: str, content: bytes) -> None:
        """Change a stored file behind the registry's back: its record stays."""
        self._files[version][name] = content

    def record_again(self, version: int) -> None:
        """Make the record tell the truth about the stored files, as someone with the right to write to the registry could."""
        recorded = tuple(
            ModelFile(name, len(content), hashlib.sha256(content).hexdigest())
            for name, content in sorted(self._files[version].items())
        )
        self._versions[version] = replace(self._versions[version], files=recorded)

    def resolve(self, alias: Alias) -> ModelVersion | None:
        self._check()
        return self.get(self._aliases[alias]) if alias in self._aliases else None

    def get(self, version: int) -> ModelVersion:
        self._check()
        if version not in self._versions:
            raise UnknownVersion(f"no version {version}")
        carried = tuple(sorted(str(alias) for alias, number in self._aliases.items() if number == version))
        return replace(self._versions[version], aliases=carried)

    def versions(self) -> list[ModelVersion]:
        self._check()
        return [self.get(version) for version in sorted(self._versions, reverse=True)]

    def set_alias(self, alias: Alias, version: int) -> None:
        self._aliases[alias] = self.get(version).version

    def drop_alias(self, alias: Alias) -> None:
        self._check()
        self._aliases.pop(alias, None)

    def download(self, version: ModelVersion, folder: Path) -> None:
        self._check()
        self.downloads.append(version.version)
        for file in version.files:
            (folder / file.name).write_bytes(self._files[version.version][file.name])

    def _check(self) -> None:
        if self.down:
            raise RegistryUnreachable("the registry is down")
