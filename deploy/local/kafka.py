"""Apache Kafka as one KRaft node on 127.0.0.1: its configuration, its format, its start.

Every local user reaches 127.0.0.1, and whoever writes `usage.rated` writes money: clients log in by SCRAM.
The controllers keep SCRAM's users, so whoever speaks to a controller (the node itself) logs in by PLAIN. The
password is made up on the first day and stands in files that only the owner reads, never on a command line,
which everybody reads.
"""

import os
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from deploy.local import class_archive
from deploy.local.home import LOOPBACK, Home, write_private
from deploy.local.java import find_java
from deploy.local.kafka_jars import verified
from deploy.local.kafka_user import give_password
from deploy.local.processes import finish, launch
from spendmeter.platform.kafka_access import KafkaAccess, Mechanism

HEAP_MB = 400
LOGGING = ("defaultLogLevel=warn", "showDateTime=true", "dateTimeFormat=yyyy-MM-dd'T'HH:mm:ssX")
FORMAT_SECONDS_MAX = 60
USER = "spendmeter"
MECHANISM: Mechanism = "SCRAM-SHA-512"
ANSWER_SECONDS_MAX = 1.0
_API_VERSIONS = 18


def server_properties(*, port: int, controller_port: int, password: str) -> Mapping[str, str]:
    """The broker's configuration: server.properties, filled in."""
    text = Path(__file__).with_name("server.properties").read_text("utf-8")
    filled = text.format(
        host=LOOPBACK,
        port=port,
        controller_port=controller_port,
        mechanism=MECHANISM,
        mechanism_lower=MECHANISM.lower(),
        user=USER,
        password=password,
    )
    lines = [line for line in filled.splitlines() if not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@dataclass(frozen=True, kw_only=True)
class Kafka:
    """The broker of one home."""

    home: Home
    port: int
    controller_port: int
    cluster_id: str
    password: str = field(repr=False)
    name: str = "kafka"
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def access(self) -> KafkaAccess:
        """How clients reach it."""
        return KafkaAccess(
            servers=self.address,
            security_protocol="SASL_PLAINTEXT",
            mechanism=MECHANISM,
            username=USER,
            password=self.password,
        )

    def spawn(self, log: Path) -> subprocess.Popen[bytes]:
        """Starts the broker; the first start formats its data. JarRefused when a jar is not as locked."""
        binary = find_java()
        java = [str(binary), f"-Xmx{HEAP_MB}m", "-cp", f"{verified()}/*"]
        java += [f"-Dorg.slf4j.simpleLogger.{option}" for option in LOGGING]
        settings = server_properties(
            port=self.port, controller_port=self.controller_port, password=self.password
        )
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        write_private(self.home.data / "kafka.properties", text)
        if not (self.home.data / "kafka" / "meta.properties").exists():
            self._format(java, log)
        command = [*java, *class_archive.jvm_options(binary), "kafka.Kafka", "kafka.properties"]
        return launch(command, log, folder=self.home.data, environment=os.environ)

    def trouble(self) -> str | None:
        # the broker opens its port only after it has recovered its logs and joined its cluster; the system
        # goes on accepting for a frozen one, so it is asked something
        return None if _answers(self.port) else f"does not answer on {self.address}"

    async def admit(self) -> None:
        """Make the clients' user known to data that a release without passwords had formatted; else nothing.
        The broker must run."""
        known = self.home.data / "kafka.user"
        if not known.exists():
            controller = msgspec.structs.replace(
                self.access, servers=f"{LOOPBACK}:{self.controller_port}", mechanism="PLAIN"
            )
            await give_password(controller, USER, self.password)
            known.touch()

    def _format(self, java: list[str], log: Path) -> None:
        user = f'"{MECHANISM}=[name={USER},password={self.password}]"'
        tool = f"kafka.tools.StorageTool format -t {self.cluster_id} -c kafka.properties --ignore-formatted"
        # java reads the rest of its command line from this file
        write_private(self.home.data / "kafka.format", f"{tool} --add-scram {user}\n")
        command = [*java, "-XX:TieredStopAtLevel=1", "@kafka.format"]
        try:
            formatting = launch(command, log, folder=self.home.data, environment=os.environ)
            finish(formatting, "formatting Kafka's data", log, seconds_max=FORMAT_SECONDS_MAX)
        finally:
            (self.home.data / "kafka.format").unlink()
        (self.home.data / "kafka.user").touch()


def _answers(port: int) -> bool:
    """Whether the broker says which versions it speaks, which it does before anybody logs in."""
    asked = struct.pack(">hhih", _API_VERSIONS, 0, 1, -1)  # version 0, correlation 1, a client without a name
    try:
        with socket.create_connection((LOOPBACK, port), timeout=ANSWER_SECONDS_MAX) as broker:
            broker.sendall(struct.pack(">i", len(asked)) + asked)
            return len(broker.recv(4)) > 0
    except OSError:
        return False
