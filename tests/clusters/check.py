"""Build every overlay and hold it against Kubernetes' schemas, KEDA's, and our own rules: `make check-kubernetes`.

`python -m tests.clusters.check KUSTOMIZE KUBERNETES_VALIDATE KEDA_SCHEMAS`
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.clusters.manifests import FOLDER, Cluster, Manifest, parsed
from tests.clusters.rules import broken

OVERLAYS = ("local", "staging", "production")
VERSIONS = ("1.32", "1.37")  # of Kubernetes: the oldest that the guide names, and the newest whose schemas we have
KEDA = "keda.sh/"


def problems(kustomize: str, validate: str, keda: Path) -> Iterator[str]:
    """Sentences about what is wrong with the overlays; none when all is well."""
    schemas = _keda_schemas(keda)
    for overlay in OVERLAYS:
        built = subprocess.run([kustomize, "build", FOLDER / "overlays" / overlay], capture_output=True, text=True, check=False)
        if built.returncode:
            yield f"{overlay}: {built.stderr.strip()}"
            continue
        cluster = parsed(built.stdout)
        extended = [manifest for manifest in cluster.manifests if manifest["apiVersion"].startswith(KEDA)]
        plain = [manifest for manifest in cluster.manifests if manifest not in extended]
        found = [
            *_refused(validate, plain),
            *_unlike(schemas, extended),
            *broken(cluster),
            *_unpinned(cluster),
            *_elsewhere(cluster),
        ]
        yield from (f"{overlay}: {problem}" for problem in found)


def _refused(validate: str, manifests: list[Manifest]) -> Iterator[str]:
    """What Kubernetes would refuse, or ignore: a field that it does not know."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "all.yaml"
        file.write_text(yaml.safe_dump_all(manifests))
        for version in VERSIONS:
            command = [validate, "--kubernetes-version", version, "--strict", "--quiet", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            said = (done.stdout + done.stderr).replace(str(file), "").strip()
            if done.returncode or said:
                yield f"Kubernetes {version}: {said}"


def _unlike(schemas: Mapping[str, Manifest], manifests: list[Manifest]) -> Iterator[str]:
    for manifest in manifests:
        for error in Draft202012Validator(schemas[manifest["kind"]]).iter_errors(manifest):
            yield f"{manifest['kind']} {manifest['metadata']['name']}: {error.json_path}: {error.message}"


def _unpinned(cluster: Cluster) -> Iterator[str]:
    """An image by name alone is whatever its owner makes of it; ours is a release, which the overlay names."""
    for image in sorted({container["image"] for pod in cluster.pods() for container in pod.containers}):
        ours = image.rpartition("/")[2].startswith("tripcast")
        if "@sha256:" not in image and (not ours or ":" not in image or image.endswith(":latest")):
            yield f"{image} may be another one tomorrow"


def _elsewhere(cluster: Cluster) -> Iterator[str]:
    """The brokers stand in two places of an overlay."""
    asked = cluster.settings()["TRIPCAST_KAFKA"]
    for scaler in cluster.of("ScaledObject"):
        servers = scaler["spec"]["triggers"][0]["metadata"]["bootstrapServers"]
        if servers != asked:
            yield f"the scaler asks {servers}, the roles ask {asked}"


def _keda_schemas(folder: Path) -> dict[str, Manifest]:
    """By kind, from KEDA's own definitions of its resources."""
    definitions = [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("keda.sh_*.yaml"))]
    return {
        each["spec"]["names"]["kind"]: _strict(each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) for each in definitions
    }


def _strict(schema: Any) -> Any:
    """The cluster drops a field that no schema names; we refuse it."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _strict(part) for name, part in schema.items()}
    closed = schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    return (
        {"additionalProperties": False, **parts} if closed and not schema.get("x-kubernetes-preserve-unknown-fields") else parts
    )


if __name__ == "__main__":
    sys.exit("\n".join(problems(sys.argv[1], sys.argv[2], Path(sys.argv[3]))) or 0)
