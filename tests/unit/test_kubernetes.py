"""The manifests of deploy/kubernetes keep the rules of tests/clusters, and each rule notices when one is broken."""

import copy
import re
from collections.abc import Callable

import pytest

from cli.embedded.kafka import BROKER_MAX_BYTES
from domain.entities.api_keys import key_id_of
from tests.clusters.manifests import FOLDER, Cluster, Manifest, sources
from tests.clusters.pods import made_secrets
from tests.clusters.rules import GUIDE, broken

LOCAL, MANAGED = sources("overlays/local"), sources("overlays/production")


def found(cluster: Cluster, kind: str, name: str) -> Manifest:
    return next(each for each in cluster.of(kind) if each["metadata"]["name"] == name)


def pod(cluster: Cluster, name: str) -> Manifest:
    kinds = ("Deployment", "Job", "StatefulSet")
    return next(found(cluster, kind, name)["spec"]["template"]["spec"] for kind in kinds if name in cluster.names(kind))


def container(cluster: Cluster, name: str) -> Manifest:
    first: Manifest = pod(cluster, name)["containers"][0]
    return first


@pytest.mark.parametrize("cluster", [LOCAL, MANAGED], ids=["local", "production"])
def test_the_manifests_keep_the_rules(cluster):
    assert broken(cluster) == []


BREAKS: dict[str, Callable[[Cluster], object]] = {
    "worker/worker has no limits for memory": lambda it: container(it, "worker")["resources"]["limits"].pop("memory"),
    "api may run as root": lambda it: pod(it, "api")["securityContext"].pop("runAsUser"),
    "api has no seccomp profile": lambda it: pod(it, "api")["securityContext"].pop("seccompProfile"),
    "board gets a token of the cluster": lambda it: pod(it, "board").pop("automountServiceAccountToken"),
    "mlflow/mlflow can write to its image": lambda it: container(it, "mlflow")["securityContext"].pop("readOnlyRootFilesystem"),
    "api/api can get more rights": lambda it: container(it, "api")["securityContext"].pop("capabilities"),
    "mlflow reads the variables of Services as its settings": lambda it: pod(it, "mlflow").pop("enableServiceLinks"),
    "trainer has no readinessProbe": lambda it: container(it, "trainer").pop("readinessProbe"),
    "board: readinessProbe asks /readyz, which it does not answer": lambda it: container(it, "board")["readinessProbe"][
        "httpGet"
    ].update(path="/readyz"),
    "api: livenessProbe asks port 8001, where nobody listens": lambda it: container(it, "api")["livenessProbe"][
        "httpGet"
    ].update(port=8001),
    "worker listens on 8081, its pod says {'http': 8082}": lambda it: container(it, "worker")["ports"][0].update(
        containerPort=8082
    ),
    "api: TRIPCAST_API_WORKER is no setting": lambda it: container(it, "api")["env"].append({"name": "TRIPCAST_API_WORKER"}),
    "tripcast-settings: TRIPCAST_PARTITION is no setting": lambda it: found(it, "ConfigMap", "tripcast-settings")[
        "data"
    ].update(TRIPCAST_PARTITION=""),
    "worker: TRIPCAST_DATABASE_PASWORD is no setting": lambda it: pod(it, "worker")["volumes"][3]["projected"]["sources"][0][
        "secret"
    ]["items"][0].update(path="tripcast_database_pasword"),
    "api: TRIPCAST_DATABASE uses DATABASE_SERVER, which does not stand before it": lambda it: container(it, "api")[
        "env"
    ].reverse(),
    "the guide does not tell of the key user of tripcast-logins": lambda it: pod(it, "worker")["volumes"][3]["projected"][
        "sources"
    ][0]["secret"]["items"][0].update(key="user"),
    "mlflow refers to the PersistentVolumeClaim mlflow, which is not there": lambda it: it.manifests.remove(
        found(it, "PersistentVolumeClaim", "mlflow")
    ),
    "Service api-ready finds no pod": lambda it: found(it, "Service", "api-ready")["spec"]["selector"].update(tier="api"),
    "Service board sends to web of board, where nobody listens": lambda it: found(it, "Service", "board")["spec"]["ports"][
        0
    ].update(targetPort="web"),
    "PodDisruptionBudget worker finds no pod": lambda it: found(it, "PodDisruptionBudget", "worker")["spec"]["selector"][
        "matchLabels"
    ].update({"app.kubernetes.io/name": "workers"}),
    "PodDisruptionBudget api lets no pod go": lambda it: found(it, "PodDisruptionBudget", "api")["spec"].update(
        maxUnavailable=0
    ),
    "worker is killed before it has ended: it needs 0 s and 8.5 s": lambda it: pod(it, "worker").update(
        terminationGracePeriodSeconds=10
    ),
    "nothing is denied by default": lambda it: it.manifests.remove(found(it, "NetworkPolicy", "default-deny")),
    "board may ask api on 8001, where nobody listens": lambda it: found(it, "NetworkPolicy", "board-asks")["spec"]["egress"][0][
        "ports"
    ][0].update(port=8001),
    "board may ask api on 8000, which does not let it in": lambda it: it.manifests.remove(
        found(it, "NetworkPolicy", "api-is-asked")
    ),
    "trainer lets api in on 8082, which may not ask": lambda it: found(it, "NetworkPolicy", "api-asks")["spec"]["egress"].pop(
        1
    ),
    "api is told of trainer:8082, and may not ask it": lambda it: found(it, "NetworkPolicy", "api-asks")["spec"]["egress"].pop(
        1
    ),
    "source is told of kafka:9092, and may not ask it": lambda it: it.manifests.remove(
        found(it, "NetworkPolicy", "may-ask-kafka")
    ),
}
SCALER_BREAKS: dict[str, Callable[[Manifest], object]] = {
    "up to 13 workers for 12 partitions": lambda spec: spec.update(maxReplicaCount=13),
    "without a worker nobody hosts the closed loop": lambda spec: spec.update(minReplicaCount=0),
    "the scaler looks at the topic trips": lambda spec: spec["triggers"][0]["metadata"].update(topic="trips"),
    "the scaler looks at the group workers": lambda spec: spec["triggers"][0]["metadata"].update(consumerGroup="workers"),
}


@pytest.mark.parametrize("problem", BREAKS)
def test_what_breaks_a_rule_is_named(problem):
    cluster = Cluster(copy.deepcopy(LOCAL.manifests))
    BREAKS[problem](cluster)
    assert problem in broken(cluster)


@pytest.mark.parametrize("problem", SCALER_BREAKS)
def test_a_scaler_that_would_scale_wrongly_is_named(problem):
    cluster = Cluster(copy.deepcopy(MANAGED.manifests))
    SCALER_BREAKS[problem](found(cluster, "ScaledObject", "worker")["spec"])
    assert problem in broken(cluster)


def test_the_broker_in_the_cluster_takes_records_as_large_as_ours():
    properties = dict(
        line.split("=", 1)
        for line in (FOLDER / "components/local-servers/server.properties").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert int(properties["message.max.bytes"]) == int(properties["replica.fetch.max.bytes"]) == BROKER_MAX_BYTES


def made(**environment: str) -> dict[tuple[str, str], str]:
    secrets = made_secrets("somewhere", **environment)
    return {(name, key): value for name, secret in secrets.items() for key, value in secret.items()}


def test_the_script_makes_every_secret_that_the_guide_tells_of():
    documented = set(re.findall(r"^\| `(tripcast-\w+)` \| `(\w+)` \|", GUIDE.read_text(), flags=re.MULTILINE))
    given = made(KAFKA_USER="u", KAFKA_PASSWORD="p", WEBHOOK="w", ADMIN_PASSWORD="it's")
    assert set(given) == {key for key in documented if key[0] != "tripcast-alerts"}  # those only their owner can bring
    assert given["tripcast-admin", "password"] == "it's"


def test_secrets_are_made_up_anew_each_time_and_keys_have_the_form_of_keys():
    first, second = made(), made()
    assert len(set(first.values()) | set(second.values())) == len(first) + len(second)
    assert all(key_id_of(value) for (name, _), value in first.items() if name == "tripcast-keys")
    assert all(len(value) >= 48 for value in first.values())
