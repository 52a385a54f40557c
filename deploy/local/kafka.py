"""Apache Kafka as one KRaft node on 127.0.0.1: its configuration, its format, its start."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import class_archive
from deploy.local.home import LOOPBACK, Home, accepts
from deploy.local.java import find_java
from deploy.local.kafka_jars import verified
from deploy.local.processes import finish, launch

HEAP_MB = 400
LOGGING = ("defaultLogLevel=warn", "showDateTime=true", "dateTimeFormat=yyyy-MM-dd'T'HH:mm:ssX")
FORMAT_SECONDS_MAX = 60


def server_properties(*, port: int, controller_port: int) -> Mapping[str, str]:
    """The broker's configuration. Retention and sizes belong to each topic and are not set here."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        # static voters: unlike the dynamic quorum they are not stored, so the port may change between starts
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"BROKER://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"BROKER://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        # relative to the working folder: a comma or a letter outside Latin-1 in the home's path does no harm
        "log.dirs": "kafka",
        "auto.create.topics.enable": "false",
        "delete.topic.enable": "true",
        # a killed broker can register again only when the session it left behind is over (9 s by default)
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "16777216",  # its default, 128 MB, is a third of the heap
    }


@dataclass(frozen=True, kw_only=True)
class Kafka:
    """The broker of one home."""

    home: Home
    port: int
    controller_port: int
    cluster_id: str
    name: str = "kafka"
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def spawn(self, log: Path) -> subprocess.Popen[bytes]:
        """Starts the broker; the first start formats its data. JarRefused when a jar is not as locked."""
        binary = find_java()
        java = [str(binary), f"-Xmx{HEAP_MB}m", "-cp", f"{verified()}/*"]
        java += [f"-Dorg.slf4j.simpleLogger.{option}" for option in LOGGING]
        settings = server_properties(port=self.port, controller_port=self.controller_port)
        (self.home.data / "kafka.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        if not (self.home.data / "kafka" / "meta.properties").exists():
            self._format(java, log)
        command = [*java, *class_archive.jvm_options(binary), "kafka.Kafka", "kafka.properties"]
        return launch(command, log, folder=self.home.data, environment=os.environ)

    def trouble(self) -> str | None:
        # the broker opens its port only after it has recovered its logs and joined its own cluster
        return None if accepts(self.port) else f"does not listen on {self.address} yet"

    def _format(self, java: list[str], log: Path) -> None:
        tool = ["-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "-t", self.cluster_id]
        command = [*java, *tool, "-c", "kafka.properties", "--ignore-formatted"]
        formatting = launch(command, log, folder=self.home.data, environment=os.environ)
        finish(formatting, "formatting Kafka's data", log, seconds_max=FORMAT_SECONDS_MAX)
