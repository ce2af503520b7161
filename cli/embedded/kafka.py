"""A real Apache Kafka, one node, KRaft, on the loopback address."""

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.embedded.java import find_java
from cli.embedded.kafka_jars import ensure_jars
from cli.embedded.part import Part, run_to_end
from cli.embedded.ports import HOST, is_open
from schemas.topics import MAX_RECORD_BYTES, QUARANTINE_HEADROOM_BYTES

FRAMING_BYTES = 64 * 1024  # a batch around the largest record
BROKER_MAX_BYTES = MAX_RECORD_BYTES + QUARANTINE_HEADROOM_BYTES + FRAMING_BYTES
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true", *LOGGING)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={host}:{controller_port}
log.dirs={logs}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}
log.cleaner.dedupe.buffer.size=4194304
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
num.network.threads=2
num.io.threads=4
"""


@dataclass(frozen=True, slots=True)
class EmbeddedKafka:
    """One broker that keeps its log below `folder`. `answers`: whether a broker at an address answers."""

    folder: Path
    log: Path
    port: int
    controller_port: int
    answers: Callable[[str], bool]
    name: str = "Kafka"

    @property
    def address(self) -> str:
        """Bootstrap server."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        """Fetch the jars, write the configuration, format the log folder once."""
        jars = ensure_jars()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self._configuration(), encoding="utf-8")
        if not (self._logs / "meta.properties").exists():
            tool = ("kafka.tools.StorageTool", "format", "--standalone", "-t", _new_cluster_id(), "-c", str(self._properties))
            run_to_end(self.name, [*_java(jars), *tool], self.log)

    def part(self) -> Part:
        """The broker's process; ready when it answers a metadata request."""
        return Part(
            "Kafka",
            [*_java(ensure_jars()), "kafka.Kafka", str(self._properties)],
            log=self.log,
            ready=self._answers,
            ports=(self.port, self.controller_port),
        )

    def complete(self) -> None:
        """Nothing: `tripcast migrate` creates the topics."""

    @property
    def _logs(self) -> Path:
        return self.folder / "logs"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _answers(self) -> bool:
        return is_open(self.port) and self.answers(self.address)

    def _configuration(self) -> str:
        return PROPERTIES.format(
            host=HOST,
            port=self.port,
            controller_port=self.controller_port,
            logs=self._logs.absolute(),
            max_bytes=BROKER_MAX_BYTES,
        )


def _java(jars: Path) -> list[str]:
    return [str(find_java()), *JVM, "-cp", f"{jars}/*"]


def _new_cluster_id() -> str:
    """A Kafka UUID: 16 bytes in URL-safe base64 without padding, not starting with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
