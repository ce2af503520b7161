"""The CloudFormation templates of deploy/aws: closed, encrypted, backed up, TLS required, no loss by a deletion."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.embedded.kafka import BROKER_MAX_BYTES

FOLDER = Path(__file__).parents[2] / "deploy" / "aws"
WORLD = {"0.0.0.0/0", "::/0"}
Template = dict[str, Any]


class Loader(yaml.SafeLoader):
    """Knows the short forms of CloudFormation's functions: `!Ref X` is `{"Ref": "X"}`."""


def _function(loader: Loader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _function)


def template(name: str) -> Template:
    loaded: Template = yaml.load((FOLDER / f"{name}.yaml").read_text(), Loader)  # noqa: S506 - a safe loader
    return loaded


DATABASE, BROKER = template("database"), template("broker")


def resources(of: Template, kind: str) -> dict[str, Template]:
    return {name: each["Properties"] for name, each in of["Resources"].items() if each["Type"] == kind}


def leaves(value: Any) -> Iterator[str]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if parts is None:
        yield str(value)
    else:
        for part in parts:
            yield from leaves(part)


def instance(of: Template) -> Template:
    properties: Template = of["Resources"]["Database"]["Properties"]
    return properties


def parameter(of: Template, name: str) -> Template:
    found: Template = of["Parameters"][name]
    return found


def open_to_all(of: Template) -> bool:
    groups = resources(of, "AWS::EC2::SecurityGroup").values()
    return any(WORLD & set(leaves(group.get("SecurityGroupIngress", []))) for group in groups)


def public(of: Template) -> bool:
    outside = {"If": ["ReachedFromOutside", True, False]}
    return bool(instance(of)["PubliclyAccessible"] != outside or parameter(of, "MyAddress")["Default"])


def takes_networks(of: Template) -> bool:
    pattern = parameter(of, "MyAddress")["AllowedPattern"]
    return not re.fullmatch(pattern, "203.0.113.7/32") or bool(re.fullmatch(pattern, "0.0.0.0/0"))


def forces_tls(of: Template) -> bool:
    parameters = resources(of, "AWS::RDS::DBParameterGroup")["Configuration"]["Parameters"]
    return bool(parameters.get("rds.force_ssl") == "1")


def watches(metric: str) -> Callable[[Template], bool]:
    return lambda of: metric in {alarm["MetricName"] for alarm in resources(of, "AWS::CloudWatch::Alarm").values()}


FAULTS: dict[str, Callable[[Template], bool]] = {
    "anybody may come in": open_to_all,
    "it has a public address": public,
    "an address may be a network": takes_networks,
    "the storage is readable": lambda it: not instance(it).get("StorageEncrypted"),
    "connections without TLS are taken": lambda it: not forces_tls(it),
    "the parameters are nobody's": lambda it: instance(it)["DBParameterGroupName"] != {"Ref": "Configuration"},
    "backups are kept for too short a time": lambda it: (
        parameter(it, "BackupDays")["MinValue"] < 7 or instance(it)["BackupRetentionPeriod"] != {"Ref": "BackupDays"}
    ),
    "somebody types the password": lambda it: (
        not instance(it).get("ManageMasterUserPassword") or "MasterUserPassword" in instance(it)
    ),
    "no short-lived passwords": lambda it: not instance(it).get("EnableIAMDatabaseAuthentication"),
    "a deletion loses all": lambda it: it["Resources"]["Database"]["DeletionPolicy"] != "Snapshot",
    "it can be deleted by mistake": lambda it: parameter(it, "DeletionProtection")["Default"] != "true",
    "nobody watches FreeStorageSpace": lambda it: not watches("FreeStorageSpace")(it),
    "nobody watches CPUUtilization": lambda it: not watches("CPUUtilization")(it),
    "nobody watches DatabaseConnections": lambda it: not watches("DatabaseConnections")(it),
}


def faults(of: Template) -> list[str]:
    """What is wrong with the template of the database."""
    return [fault for fault, holds in FAULTS.items() if holds(of)]


def test_the_database_is_closed_encrypted_and_backed_up():
    assert faults(DATABASE) == []


BREAKS: dict[str, Callable[[Template], object]] = {
    "anybody may come in": lambda it: it["Resources"]["DatabaseGroup"]["Properties"]["SecurityGroupIngress"].append(
        {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "0.0.0.0/0"}
    ),
    "it has a public address": lambda it: instance(it).update(PubliclyAccessible=True),
    "an address may be a network": lambda it: it["Parameters"]["MyAddress"].update(AllowedPattern=".*"),
    "the storage is readable": lambda it: instance(it).pop("StorageEncrypted"),
    "connections without TLS are taken": lambda it: it["Resources"]["Configuration"]["Properties"]["Parameters"].update(
        {"rds.force_ssl": "0"}
    ),
    "the parameters are nobody's": lambda it: instance(it).update(DBParameterGroupName="default.postgres18"),
    "backups are kept for too short a time": lambda it: instance(it).update(BackupRetentionPeriod=0),
    "somebody types the password": lambda it: instance(it).update(MasterUserPassword="x"),
    "no short-lived passwords": lambda it: instance(it).pop("EnableIAMDatabaseAuthentication"),
    "a deletion loses all": lambda it: it["Resources"]["Database"].update(DeletionPolicy="Delete"),
    "it can be deleted by mistake": lambda it: parameter(it, "DeletionProtection").update(Default="false"),
    "nobody watches FreeStorageSpace": lambda it: it["Resources"].pop("StorageRunsOut"),
    "nobody watches CPUUtilization": lambda it: it["Resources"].pop("ProcessorIsBusy"),
    "nobody watches DatabaseConnections": lambda it: it["Resources"].pop("ConnectionsRunOut"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_opens_the_database_is_named(fault):
    broken = copy.deepcopy(DATABASE)
    BREAKS[fault](broken)
    assert faults(broken) == [fault]


def test_every_login_of_ours_may_have_short_lived_passwords_and_nobody_else():
    from cli.embedded.postgres import LOGINS, MLFLOW

    policy = DATABASE["Resources"]["LoginPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {resource["Sub"].rpartition("/")[2] for statement in policy for resource in statement["Resource"]}
    assert allowed == set(LOGINS) - {MLFLOW}


def test_the_broker_takes_no_connection_without_tls_and_a_login():
    cluster = resources(BROKER, "AWS::MSK::Cluster")["Cluster"]
    assert cluster["EncryptionInfo"]["EncryptionInTransit"] == {"ClientBroker": "TLS", "InCluster": True}
    assert cluster["ClientAuthentication"]["Sasl"]["Scram"]["Enabled"]
    assert not cluster["ClientAuthentication"]["Unauthenticated"]["Enabled"]
    assert cluster["BrokerNodeGroupInfo"]["ConnectivityInfo"]["PublicAccess"] == {"Type": "DISABLED"}
    (group,) = resources(BROKER, "AWS::EC2::SecurityGroup").values()
    assert [rule["SourceSecurityGroupId"] for rule in group["SecurityGroupIngress"]] == [{"Ref": "ClientsGroup"}]


def test_the_broker_keeps_three_copies_and_takes_records_as_large_as_ours():
    lines = resources(BROKER, "AWS::MSK::Configuration")["Configuration"]["ServerProperties"].splitlines()
    properties = dict(line.split("=") for line in lines)
    assert properties["default.replication.factor"] == "3"
    assert properties["min.insync.replicas"] == "2"
    assert properties["unclean.leader.election.enable"] == properties["auto.create.topics.enable"] == "false"
    assert int(properties["message.max.bytes"]) == int(properties["replica.fetch.max.bytes"]) == BROKER_MAX_BYTES


def test_the_templates_fit_together():
    given, taken = set(DATABASE["Outputs"]), set(BROKER["Parameters"])
    assert {"Network", "ClientsGroup"} <= given & taken
    assert DATABASE["Parameters"]["NetworkPrefix"]["Default"] == BROKER["Parameters"]["NetworkPrefix"]["Default"]
    blocks = [s["CidrBlock"]["Sub"] for of in (DATABASE, BROKER) for s in resources(of, "AWS::EC2::Subnet").values()]
    assert len(set(blocks)) == len(blocks) == 5
