"""Kubernetes manifests as tests look at them: a set that belongs together, and what is in it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
LITERALS = "configMapGenerator"


@dataclass(frozen=True, slots=True)
class Pod:
    """The template of a workload's pods."""

    kind: str
    name: str
    labels: Mapping[str, str]
    spec: Manifest
    serves: bool  # for ever, rather than once

    @property
    def containers(self) -> list[Manifest]:
        """Those that do the work, and those before them."""
        return [*self.spec["containers"], *self.spec.get("initContainers", [])]

    def ports(self) -> dict[str, int]:
        """Where it listens, by name."""
        listed = (port for container in self.containers for port in container.get("ports", []))
        return {port["name"]: port["containerPort"] for port in listed}

    def listens(self, port: int | str) -> bool:
        """On a port by number or by name."""
        return port in self.ports() or port in self.ports().values()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether a selector of plain labels finds it."""
        return all(self.labels.get(name) == value for name, value in labels.items())


@dataclass(frozen=True, slots=True)
class Cluster:
    """All manifests of one deployment."""

    manifests: list[Manifest]

    def of(self, kind: str) -> list[Manifest]:
        """All of a kind."""
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def names(self, kind: str) -> set[str]:
        """Their names."""
        return {manifest["metadata"]["name"] for manifest in self.of(kind)}

    def pods(self) -> Iterator[Pod]:
        """Of every workload."""
        for kind in ("Deployment", "StatefulSet", "Job"):
            for manifest in self.of(kind):
                template = manifest["spec"]["template"]
                labels = template["metadata"]["labels"]
                yield Pod(kind, manifest["metadata"]["name"], labels, template["spec"], serves=kind != "Job")

    def settings(self) -> dict[str, str]:
        """What all roles read from their common ConfigMap."""
        found = [manifest for manifest in self.of("ConfigMap") if manifest["metadata"]["name"].startswith("tripcast-settings")]
        return {name: str(value) for manifest in found for name, value in manifest["data"].items()}


def sources(*folders: str) -> Cluster:
    """What the files of these folders say, without their patches: close enough for rules, and needs no program."""
    return Cluster([manifest for folder in folders for manifest in _collected(FOLDER / folder)])


def parsed(text: str) -> Cluster:
    """Of built manifests."""
    return Cluster([manifest for manifest in yaml.safe_load_all(text) if manifest])


def _collected(folder: Path) -> Iterator[Manifest]:
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in (*plan.get("resources", []), *plan.get("components", [])):
        path = folder / name
        yield from _collected(path) if path.is_dir() else yaml.safe_load_all(path.read_text())
    for generated in plan.get(LITERALS, []):
        yield _config_map(generated)


def _config_map(generated: Mapping[str, Any]) -> Manifest:
    pairs: Iterable[tuple[str, str, str]] = (line.partition("=") for line in generated.get("literals", []))
    data = {name: value for name, _, value in pairs} | dict.fromkeys(map(_file_name, generated.get("files", [])), "")
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generated["name"]}, "data": data}


def _file_name(entry: str) -> str:
    return entry.split("=", maxsplit=1)[0] if "=" in entry else Path(entry).name
