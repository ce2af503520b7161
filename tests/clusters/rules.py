"""What must be true of every deployment on Kubernetes; each rule yields a sentence for everything that breaks it."""

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from adapters.environment.settings import PREFIX
from cli.settings import roles
from schemas.topics import TRIP_EVENTS
from tests.clusters.edges import broken_edges
from tests.clusters.manifests import FOLDER, Cluster, Manifest, Pod

Rule = Callable[[Cluster], Iterator[str]]
ROOT = FOLDER.parents[1]
GUIDE = ROOT / "docs" / "guides" / "kubernetes.md"
OURS = "tripcast"
HEALTH = {"/livez", "/readyz"}
ROUTES = {"worker": HEALTH, "trainer": HEALTH, "canary": HEALTH, "api": HEALTH, "board": {"/livez"}, "mlflow": {"/health"}}
# How long each takes to end when it is told to: constants of the code, read without loading four processes into this one.
LEAVES = {
    "worker": [("stream/app.py", "LEAVE_SECONDS")],
    "trainer": [("batch/training_process.py", "GRACE_SECONDS")],
    "api": [
        ("api/bootstrap.py", "FINISH_SECONDS"),
        ("api/bootstrap.py", "FLUSH_SECONDS"),
        ("api/reads_bootstrap.py", "STOP_SECONDS"),
    ],
    "board": [("dashboard/bootstrap.py", "LEAVE_SECONDS")],
}


def containers_are_bounded(cluster: Cluster) -> Iterator[str]:
    """A container without limits takes its node along."""
    for pod, container in _containers(cluster):
        for kind in ("requests", "limits"):
            given = container.get("resources", {}).get(kind, {})
            for what in {"cpu", "memory", "ephemeral-storage"} - set(given):
                yield f"{pod.name}/{container['name']} has no {kind} for {what}"


def containers_are_confined(cluster: Cluster) -> Iterator[str]:
    """As Pod Security's profile `restricted` asks, and with a root file system that nobody writes to."""
    for pod in cluster.pods():
        context = pod.spec.get("securityContext", {})
        if not context.get("runAsNonRoot") or context.get("runAsUser", 0) == 0:
            yield f"{pod.name} may run as root"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{pod.name} has no seccomp profile"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name} gets a token of the cluster"
    for pod, container in _containers(cluster):
        context = container.get("securityContext", {})
        if not context.get("readOnlyRootFilesystem"):
            yield f"{pod.name}/{container['name']} can write to its image"
        if context.get("allowPrivilegeEscalation") is not False or context.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{pod.name}/{container['name']} can get more rights"


def no_service_becomes_a_setting(cluster: Cluster) -> Iterator[str]:
    """Kubernetes gives each pod `<SERVICE>_PORT=tcp://...` unless told not to, and MLflow reads MLFLOW_PORT."""
    for pod in cluster.pods():
        if pod.spec.get("enableServiceLinks") is not False:
            yield f"{pod.name} reads the variables of Services as its settings"


def probes_ask_what_is_answered(cluster: Cluster) -> Iterator[str]:
    """Whoever serves is asked, on a port where it listens and a route that it has."""
    for pod, container in _containers(cluster):
        for kind in ("startupProbe", "livenessProbe", "readinessProbe") if pod.serves and pod.name != "source" else ():
            probe = container.get(kind, {})
            asked = probe.get("httpGet") or probe.get("tcpSocket")
            if asked is None and "exec" not in probe:
                yield f"{pod.name} has no {kind}"
            elif asked is not None and not pod.listens(asked["port"]):
                yield f"{pod.name}: {kind} asks port {asked['port']}, where nobody listens"
            elif pod.name in ROUTES and asked is not None and asked["path"] not in ROUTES[pod.name]:
                yield f"{pod.name}: {kind} asks {asked['path']}, which it does not answer"


def roles_listen_where_they_are_told(cluster: Cluster) -> Iterator[str]:
    """The ports of the containers are the defaults of the settings, which nothing here changes."""
    known = {name: kind.model_fields for name, kind in roles().items()}
    for name, field in (
        ("worker", "worker_port"),
        ("trainer", "trainer_port"),
        ("canary", "canary_port"),
        ("api", "api_port"),
        ("board", "board_port"),
    ):
        default = known["dashboard" if name == "board" else name][field].default
        for pod in cluster.pods():
            if pod.name == name and pod.ports() != {"http": default}:
                yield f"{name} listens on {default}, its pod says {pod.ports()}"


def settings_exist(cluster: Cluster) -> Iterator[str]:
    """A misspelt name would be ignored by the role."""
    known = {f"{PREFIX}{field.upper()}" for kind in roles().values() for field in kind.model_fields}
    given = {(entry, pod.name) for pod, container in _containers(cluster) for entry in _environment(container)}
    given |= {(name, "tripcast-settings") for name in cluster.settings()}
    ours = [pod for pod in cluster.pods() if OURS in pod.containers[0]["image"]]
    given |= {(path.upper(), pod.name) for pod in ours for _, _, path in _secret_files(pod)}
    for name, where in sorted(given):
        if name.startswith(PREFIX) and name not in known:
            yield f"{where}: {name} is no setting"


def variables_are_put_together(cluster: Cluster) -> Iterator[str]:
    """`$(NAME)` is replaced by what stands before it in the same list, and stays as it is otherwise."""
    for pod, container in _containers(cluster):
        before: set[str] = set()
        for entry in container.get("env", []):
            for name in set(re.findall(r"\$\((\w+)\)", entry.get("value", ""))) - before:
                yield f"{pod.name}: {entry['name']} uses {name}, which does not stand before it"
            before.add(entry["name"])


def secrets_are_documented(cluster: Cluster) -> Iterator[str]:
    """Every key that something refers to is a row of the guide; what nobody refers to is none."""
    documented = set(re.findall(r"^\| `(tripcast-\w+)` \| `(\w+)` \|", GUIDE.read_text(), flags=re.MULTILINE))
    asked = {(name, key) for pod in cluster.pods() for name, key in _secret_keys(pod)}
    asked |= {
        (target["name"], target["key"]) for manifest in cluster.of("TriggerAuthentication") for target in _targets(manifest)
    }
    for name, key in sorted(asked - documented):
        yield f"the guide does not tell of the key {key} of {name}"


def references_lead_somewhere(cluster: Cluster) -> Iterator[str]:
    """What a pod mounts or runs as is there."""
    there = {kind: cluster.names(kind) for kind in ("ConfigMap", "PersistentVolumeClaim", "ServiceAccount")}
    for pod in cluster.pods():
        for kind, name in _references(pod):
            if name not in there[kind]:
                yield f"{pod.name} refers to the {kind} {name}, which is not there"


def services_have_pods(cluster: Cluster) -> Iterator[str]:
    """A Service whose selector or port is wrong answers nobody, and says nothing."""
    for service in cluster.of("Service"):
        name, selector = service["metadata"]["name"], service["spec"]["selector"]
        pods = [pod for pod in cluster.pods() if pod.fits(selector)]
        if not pods:
            yield f"Service {name} finds no pod"
        for pod in pods:
            for port in service["spec"]["ports"]:
                if not pod.listens(port["targetPort"]):
                    yield f"Service {name} sends to {port['targetPort']} of {pod.name}, where nobody listens"


def budgets_have_pods(cluster: Cluster) -> Iterator[str]:
    """A budget for nothing protects nothing, and one that allows nothing blocks every drain."""
    for budget in cluster.of("PodDisruptionBudget"):
        name, spec = budget["metadata"]["name"], budget["spec"]
        if not any(pod.fits(spec["selector"]["matchLabels"]) for pod in cluster.pods()):
            yield f"PodDisruptionBudget {name} finds no pod"
        if spec.get("maxUnavailable", 0) < 1:
            yield f"PodDisruptionBudget {name} lets no pod go"


def whoever_ends_has_time(cluster: Cluster) -> Iterator[str]:
    """From SIGTERM to SIGKILL passes more than the role needs, by what the code says."""
    for pod in cluster.pods():
        if pod.name in LEAVES:
            hook = pod.containers[0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            leaves = sum(_constant(file, name) for file, name in LEAVES[pod.name])
            if pod.spec["terminationGracePeriodSeconds"] < hook + leaves + 5:
                yield f"{pod.name} is killed before it has ended: it needs {hook} s and {leaves} s"


def workers_never_outnumber_partitions(cluster: Cluster) -> Iterator[str]:
    """A partition has one worker. The scaler looks at the group and the topic of the settings."""
    settings = {name.removeprefix(PREFIX).lower(): value for name, value in cluster.settings().items()}
    worker = roles()["worker"].model_validate(settings)
    prefix = getattr(worker, "topic_prefix", "")
    for scaler in cluster.of("ScaledObject"):
        spec, trigger = scaler["spec"], scaler["spec"]["triggers"][0]["metadata"]
        most = max(spec["maxReplicaCount"], spec["fallback"]["replicas"])
        if most > int(settings["partitions"]):
            yield f"up to {most} workers for {settings['partitions']} partitions"
        if spec["minReplicaCount"] < 1:
            yield "without a worker nobody hosts the closed loop"
        if trigger["topic"] != f"{prefix}{TRIP_EVENTS.name}":
            yield f"the scaler looks at the topic {trigger['topic']}"
        if trigger["consumerGroup"] != f"{prefix}{getattr(worker, 'worker_group', '')}":
            yield f"the scaler looks at the group {trigger['consumerGroup']}"


RULES: tuple[Rule, ...] = (
    containers_are_bounded,
    containers_are_confined,
    no_service_becomes_a_setting,
    probes_ask_what_is_answered,
    roles_listen_where_they_are_told,
    settings_exist,
    variables_are_put_together,
    secrets_are_documented,
    references_lead_somewhere,
    services_have_pods,
    budgets_have_pods,
    whoever_ends_has_time,
    workers_never_outnumber_partitions,
    broken_edges,
)


def broken(cluster: Cluster) -> list[str]:
    """Everything that is wrong with a deployment."""
    return sorted({problem for rule in RULES for problem in rule(cluster)})


def _constant(file: str, name: str) -> float:
    found = re.search(rf"^{name} = ([\d.]+)", (ROOT / file).read_text(), flags=re.MULTILINE)
    assert found, f"{file} has no {name} any more"
    return float(found[1])


def _containers(cluster: Cluster) -> Iterator[tuple[Pod, Manifest]]:
    return ((pod, container) for pod in cluster.pods() for container in pod.containers)


def _environment(container: Manifest) -> list[str]:
    return [entry["name"] for entry in container.get("env", [])]


def _secret_sources(pod: Pod) -> Iterator[tuple[str, list[dict[str, str]]]]:
    for volume in pod.spec.get("volumes", []):
        if "secret" in volume:
            yield volume["secret"]["secretName"], volume["secret"]["items"]
        for source in volume.get("projected", {}).get("sources", []):
            yield source["secret"]["name"], source["secret"]["items"]


def _secret_files(pod: Pod) -> Iterator[tuple[str, str, str]]:
    return ((name, item["key"], item["path"]) for name, items in _secret_sources(pod) for item in items)


def _secret_keys(pod: Pod) -> Iterator[tuple[str, str]]:
    yield from ((name, key) for name, key, _ in _secret_files(pod))
    for entry in chain.from_iterable(container.get("env", []) for container in pod.containers):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if reference:
            yield reference["name"], reference["key"]


def _targets(manifest: Manifest) -> list[dict[str, str]]:
    found: list[dict[str, str]] = manifest["spec"]["secretTargetRef"]
    return found


def _references(pod: Pod) -> Iterator[tuple[str, Any]]:
    if "serviceAccountName" in pod.spec:
        yield "ServiceAccount", pod.spec["serviceAccountName"]
    for volume in pod.spec.get("volumes", []):
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
        if "configMap" in volume and not volume["configMap"].get("optional"):
            yield "ConfigMap", volume["configMap"]["name"]
    for source in chain.from_iterable(container.get("envFrom", []) for container in pod.containers):
        yield "ConfigMap", source["configMapRef"]["name"]
