"""Who may speak to whom: network policies, as pairs of pods and a port, and what is wrong with them."""

import re
from collections.abc import Iterator
from itertools import chain

from tests.clusters.manifests import Cluster, Manifest, Pod

ADDRESS = re.compile(r"https?://([a-z][a-z-]*):(\d+)")
Edge = tuple[str, str, int]  # from pod, to pod, port


def broken_edges(cluster: Cluster) -> Iterator[str]:
    """Each edge ends where somebody listens, both of its ends allow it, and it is there for every address in the settings."""
    if not any(_is_total(policy) for policy in cluster.of("NetworkPolicy")):
        yield "nothing is denied by default"
    leaving, arriving = set(_edges(cluster, "Egress")), set(_edges(cluster, "Ingress"))
    listening = {pod.name: set(pod.ports().values()) for pod in cluster.pods()}
    for source, target, port in sorted(leaving | arriving):
        if port not in listening[target]:
            yield f"{source} may ask {target} on {port}, where nobody listens"
    for source, target, port in sorted(leaving - arriving):
        yield f"{source} may ask {target} on {port}, which does not let it in"
    for source, target, port in sorted(arriving - leaving):
        yield f"{target} lets {source} in on {port}, which may not ask"
    yield from (f"{source} is told of {target}:{port}, and may not ask it" for source, target, port in _unmet(cluster, leaving))


def _unmet(cluster: Cluster, allowed: set[Edge]) -> Iterator[Edge]:
    """Addresses of Services in a pod's settings that no policy lets it ask."""
    services = {service["metadata"]["name"]: service["spec"]["selector"] for service in cluster.of("Service")}
    for pod in cluster.pods():
        for host, port in _told(cluster, pod):
            targets = [other.name for other in cluster.pods() if host in services and other.fits(services[host])]
            for target in targets or [host]:
                if (pod.name, target, port) not in allowed:
                    yield pod.name, target, port


def _told(cluster: Cluster, pod: Pod) -> Iterator[tuple[str, int]]:
    """Of itself, and of MLflow, which every pod with the common settings is told of, only those that use it."""
    own = chain.from_iterable(container.get("env", []) for container in pod.containers)
    for entry in own:
        yield from ((host, int(port)) for host, port in ADDRESS.findall(entry.get("value", "")))
    common = cluster.settings()
    if "needs-mlflow" in pod.labels:
        yield from ((host, int(port)) for host, port in ADDRESS.findall(common["TRIPCAST_MLFLOW"]))
    if "needs-kafka" in pod.labels and "." not in common["TRIPCAST_KAFKA"]:
        host, _, port = common["TRIPCAST_KAFKA"].partition(":")
        yield host, int(port)


def _is_total(policy: Manifest) -> bool:
    spec = policy["spec"]
    return (
        not spec["podSelector"] and set(spec["policyTypes"]) == {"Ingress", "Egress"} and not {"ingress", "egress"} & set(spec)
    )


def _edges(cluster: Cluster, way: str) -> Iterator[Edge]:
    """Between pods of ours; what is outside is not seen from here."""
    for policy in cluster.of("NetworkPolicy"):
        mine = [pod for pod in cluster.pods() if _fits(pod, policy["spec"]["podSelector"])]
        for rule in policy["spec"].get(way.lower(), []):
            others = list(_peers(cluster, rule["from" if way == "Ingress" else "to"]))
            for port in (port["port"] for port in rule["ports"]):
                pairs = ((pod.name, other.name) for pod in mine for other in others)
                yield from ((a, b, port) if way == "Egress" else (b, a, port) for a, b in pairs)


def _peers(cluster: Cluster, peers: list[Manifest]) -> Iterator[Pod]:
    for peer in peers:
        if set(peer) == {"podSelector"}:
            yield from (pod for pod in cluster.pods() if _fits(pod, peer["podSelector"]))


def _fits(pod: Pod, selector: Manifest) -> bool:
    listed = (pod.labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))
    return pod.fits(selector.get("matchLabels", {})) and all(listed)
