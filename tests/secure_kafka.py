"""A real broker that encrypts and asks for a login: SCRAM over TLS, TLS alone, and TLS with certificates on both sides."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from adapters.environment.settings import KafkaSettings
from cli.embedded.bootstrap import embedded_kafka
from cli.embedded.kafka import EmbeddedKafka, _java, _new_cluster_id
from cli.embedded.kafka_jars import ensure_jars
from cli.embedded.part import run_to_end
from cli.embedded.ports import HOST, free_ports

NAME = "localhost"  # the one name that the broker's certificate is for
USER, PASSWORD = "trips", "ein p@ss-wort"
PROPERTIES = """
listeners=PLAINTEXT://{host}:{plain},CONTROLLER://{host}:{controller},LOGIN://{host}:{login},TLS://{host}:{tls},BOTH://{host}:{both}
advertised.listeners=PLAINTEXT://{host}:{plain},LOGIN://{name}:{login},TLS://{name}:{tls},BOTH://{name}:{both}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,TLS:SSL,BOTH:SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.both.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@dataclass(frozen=True, slots=True)
class SecureKafka:
    """The address of the listener in clear, the ports of the others, and files.

    `stranger` is another authority's certificate; `client` is a certificate of ours with its key.
    """

    plain: str
    login: int
    tls: int
    both: int
    authority: Path
    stranger: Path
    client: Path

    def settings(self, **changes: object) -> KafkaSettings:
        """What gets in, but for the changes."""
        right = {
            "kafka": f"{NAME}:{self.login}",
            "kafka_security": "SASL_SSL",
            "kafka_ca": self.authority,
            "kafka_user": USER,
            "kafka_password": PASSWORD,
        }
        return KafkaSettings.read(**(right | changes))

    def by_tls(self, **changes: object) -> KafkaSettings:
        """The same at the listener that asks for no login."""
        tls = {"kafka": f"{NAME}:{self.tls}", "kafka_security": "SSL", "kafka_user": "", "kafka_password": None}
        return self.settings(**(tls | changes))


@contextmanager
def secure_kafka(folder: Path) -> Iterator[SecureKafka]:
    """Running while inside."""
    plain, controller, login, tls, both = free_ports(5)
    kafka = embedded_kafka(folder / "kafka", folder / "kafka.log", plain, controller)
    authority = _certificates(folder)
    _prepare(
        kafka,
        PROPERTIES.format(
            host=HOST,
            name=NAME,
            plain=plain,
            controller=controller,
            login=login,
            tls=tls,
            both=both,
            keystore=folder / "broker.pem",
            authority=authority,
        ),
    )
    with kafka.part():
        yield SecureKafka(kafka.address, login, tls, both, authority, folder / "stranger.pem", folder / "client.pem")


def _prepare(kafka: EmbeddedKafka, properties: str) -> None:
    """As `kafka.prepare()`, with other listeners and with the user, who must be there when the storage is formatted."""
    kafka.folder.mkdir()
    kept = [line for line in kafka._configuration().splitlines() if "listeners=" not in line and "protocol.map" not in line]
    kafka._properties.write_text("\n".join(kept) + properties)
    user = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    tool = ("kafka.tools.StorageTool", "format", "--standalone", "-t", _new_cluster_id(), "-c", str(kafka._properties))
    run_to_end("Kafka", [*_java(ensure_jars()), *tool, "--add-scram", user], kafka.log)


def _certificates(folder: Path) -> Path:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    stranger.cert_pem.write_to_path(folder / "stranger.pem")
    for name, whom in (("broker.pem", NAME), ("client.pem", "client.example")):
        issued = authority.issue_cert(whom)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the form that Kafka reads
        (folder / name).write_bytes(pem + b"".join(each.bytes() for each in issued.cert_chain_pems))
    return folder / "authority.pem"
