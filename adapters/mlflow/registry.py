"""The MLflow model registry, read and given aliases over its REST API."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from adapters.mlflow import tags
from adapters.mlflow.rest import MlflowRest, Refused
from domain.entities.models import Alias, ModelFile, ModelVersion
from domain.errors import RegistryUnreachable, UnknownVersion

VERSIONS = "/mlflow/model-versions"
MODEL = "/mlflow/registered-models/get"
ALIAS = "/mlflow/registered-models/alias"
ARTIFACTS = "/mlflow-artifacts/artifacts/"
ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}  # MLflow says the second of an alias that nobody carries
PAGE = "200"
DOWNLOAD_DEADLINES = 6  # a whole file may take this many times the deadline of one answer


class _Tag(msgspec.Struct):
    key: str
    value: str = ""


class _Version(msgspec.Struct):
    version: int
    creation_timestamp: int = 0  # milliseconds
    run_id: str = ""
    tags: list[_Tag] = []
    aliases: list[str] = []


class _One(msgspec.Struct):
    model_version: _Version


class _Page(msgspec.Struct):
    model_versions: list[_Version] = []
    next_page_token: str = ""


class _Location(msgspec.Struct):
    artifact_uri: str


class _Carried(msgspec.Struct):
    alias: str
    version: int


class _Model(msgspec.Struct):
    aliases: list[_Carried] = []


class _Registered(msgspec.Struct):
    registered_model: _Model


@dataclass(frozen=True, slots=True)
class Registry:
    """Implements `domain.ports.ModelRegistry` for one registered model."""

    rest: MlflowRest
    model: str

    def resolve(self, alias: Alias) -> ModelVersion | None:
        """The version that carries the alias, or None."""
        try:
            return _entity(self.rest.get(ALIAS, _One, name=self.model, alias=alias).model_version)
        except Refused as error:
            if error.code in ABSENT:
                return None
            raise self._denied(error) from error

    def get(self, version: int) -> ModelVersion:
        """One version. Raises UnknownVersion."""
        try:
            return _entity(self.rest.get(f"{VERSIONS}/get", _One, name=self.model, version=str(version)).model_version)
        except Refused as error:
            raise self._unknown(version, error) from error

    def versions(self) -> list[ModelVersion]:
        """All versions, newest first."""
        found: list[_Version] = []
        query = {"filter": f"name='{self.model}'", "max_results": PAGE, "order_by": "version_number DESC"}
        try:
            while True:
                page = self.rest.get(f"{VERSIONS}/search", _Page, **query)
                found += page.model_versions
                if not page.next_page_token:
                    break
                query["page_token"] = page.next_page_token
            aliases = self._aliases() if found else []
        except Refused as error:
            raise self._denied(error) from error
        found.sort(key=lambda each: each.version, reverse=True)
        return [_entity(each, [one.alias for one in aliases if one.version == each.version]) for each in found]

    def set_alias(self, alias: Alias, version: int) -> None:
        """Move an alias. Raises UnknownVersion."""
        try:
            self.rest.send("POST", ALIAS, {"name": self.model, "alias": alias, "version": str(version)})
        except Refused as error:
            raise self._unknown(version, error) from error

    def drop_alias(self, alias: Alias) -> None:
        """Remove an alias."""
        try:
            self.rest.send("DELETE", ALIAS, {"name": self.model, "alias": alias})
        except Refused as error:
            if error.code not in ABSENT:
                raise self._denied(error) from error

    def download(self, version: ModelVersion, folder: Path) -> None:
        """Write the version's files into `folder`, each at most a little longer than recorded, so that a check can tell."""
        try:
            location = self.rest.get(f"{VERSIONS}/get-download-uri", _Location, name=self.model, version=str(version.version))
            for file in version.files:
                self._download(location.artifact_uri, file, folder)
        except Refused as error:
            raise self._unknown(version.version, error) from error

    def _aliases(self) -> list[_Carried]:
        """Who carries which alias; MLflow's search of versions does not say."""
        return self.rest.get(MODEL, _Registered, name=self.model).registered_model.aliases

    def _download(self, location: str, file: ModelFile, folder: Path) -> None:
        written = 0
        with (folder / file.name).open("wb") as target:
            for chunk in self._stream(location, file.name):
                written += target.write(chunk)
                if written > file.size_bytes:
                    return

    def _stream(self, location: str, name: str) -> Iterator[bytes]:
        parts = urlsplit(location)
        if parts.scheme != "mlflow-artifacts":
            raise RegistryUnreachable(
                f"MLflow keeps the files of {self.model} at {parts.scheme}: and does not serve them itself; "
                "start it with --serve-artifacts and train again"
            )
        path = f"{ARTIFACTS}{quote(parts.path.strip('/'))}/{quote(name)}"
        return self.rest.stream(path, DOWNLOAD_DEADLINES * self.rest.seconds)

    def _unknown(self, version: int, error: Refused) -> Exception:
        if error.code in ABSENT:
            return UnknownVersion(f"the registry has no version {version} of {self.model}; `tripcast models` lists them")
        return self._denied(error)

    def _denied(self, error: Refused) -> RegistryUnreachable:
        return RegistryUnreachable(f"MLflow refuses to answer about {self.model}: {error}")


def _entity(version: _Version, aliases: Sequence[str] | None = None) -> ModelVersion:
    noted = {tag.key: tag.value for tag in version.tags}
    return ModelVersion(
        version=version.version,
        run_id=version.run_id,
        kind=noted.get(tags.KIND, "unknown"),
        feature_schema=noted.get(tags.FEATURE_SCHEMA, "unknown"),
        created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, tz=UTC),
        files=tags.files(noted),
        metrics=tags.metrics(noted),
        aliases=tuple(sorted(version.aliases if aliases is None else aliases)),
    )
