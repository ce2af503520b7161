"""Play a pod on this machine: its command with its variables and its files of secrets, as a node would give them."""

import os
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.clusters.manifests import FOLDER, Cluster, Manifest, Pod

VARIABLE = re.compile(r"\$\((\w+)\)")


@dataclass(frozen=True, slots=True)
class Node:
    """`maps` are the ConfigMaps' contents, `secrets` the Secrets', both by name; `folder` gets what is mounted."""

    cluster: Cluster
    maps: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, Mapping[str, str]]
    folder: Path

    def pod(self, name: str) -> Pod:
        """By the name of its workload."""
        return next(pod for pod in self.cluster.pods() if pod.name == name)

    def environment(self, name: str) -> dict[str, str]:
        """What the first container sees; its folders are of this machine."""
        container = self.pod(name).containers[0]
        common = {
            key: value for source in container.get("envFrom", []) for key, value in self._map(source["configMapRef"]).items()
        }
        own: dict[str, str] = {}
        for entry in container.get("env", []):
            text = self._value(entry)
            own[entry["name"]] = VARIABLE.sub(lambda found, known=own: known.get(found[1], found[0]), text)  # type: ignore[misc]
        folders = {"TRIPCAST_DATA": self._made(name, "data"), "TRIPCAST_SECRETS": self._mounted(name)}
        return {**common, **own, **{key: str(path) for key, path in folders.items()}}

    def start(self, name: str, **others: str) -> "subprocess.Popen[bytes]":
        """Its process, with this machine's ports and topics; nothing of our own environment but the search path."""
        program, *arguments = self.pod(name).containers[0]["command"]
        assert program == "tripcast"
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._made(name, "tmp")), **self.environment(name), **others}
        log = (self.folder / name / "log").open("wb")
        with log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "cli", *arguments],
                env=environment,
                cwd=self._made(name, "data"),
                stdout=log,
                stderr=log,
            )

    def log(self, name: str) -> str:
        """What it has said."""
        return (self.folder / name / "log").read_text()

    def _value(self, entry: Manifest) -> str:
        source: Mapping[str, Any] = entry.get("valueFrom", {})
        match source:
            case {"configMapKeyRef": reference}:
                return self._map(reference)[reference["key"]]
            case {"secretKeyRef": reference}:
                return self.secrets[reference["name"]][reference["key"]]
            case {"resourceFieldRef": _}:
                return "2"
        return str(entry["value"])

    def _map(self, reference: Mapping[str, str]) -> Mapping[str, str]:
        return self.maps[reference["name"]]

    def _made(self, name: str, folder: str) -> Path:
        path = self.folder / name / folder
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _mounted(self, name: str) -> Path:
        folder = self._made(name, "secrets")
        for volume in self.pod(name).spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                for item in source["secret"]["items"]:
                    kept = self.secrets.get(source["secret"]["name"])
                    assert kept is not None or source["secret"].get("optional"), source
                    if kept is not None:
                        (folder / item["path"]).write_text(kept[item["key"]])
        return folder


def literals(cluster: Cluster) -> dict[str, dict[str, str]]:
    """The contents of the ConfigMaps that the manifests make."""
    return {each["metadata"]["name"]: dict(each["data"]) for each in cluster.of("ConfigMap")}


def made_secrets(namespace: str = "tripcast", **environment: str) -> dict[str, dict[str, str]]:
    """What `secrets.sh` makes, by name of the Secret."""
    done = subprocess.run(
        [FOLDER / "secrets.sh", namespace], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    made = [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
    assert {manifest["metadata"]["namespace"] for manifest in made} == {namespace}
    return {
        manifest["metadata"]["name"]: {key: b64decode(value).decode() for key, value in manifest["data"].items()}
        for manifest in made
    }
