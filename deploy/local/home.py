"""Where one local system keeps its state, and the little that it must remember from one start to the next."""

import base64
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

CLONE = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
PORTS_TRIED_MAX = 50
_claims: list[socket.socket] = []
"""Of the ports that this process has chosen, until it ends."""


@dataclass(frozen=True)
class Home:
    """The folders of one system. Whoever removes `data` has removed the system; all else is derived."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def state(self) -> Path:
        """What runs now, by process id and time of start (deploy/local/state.py)."""
        return self.run / "state.json"

    def create(self) -> None:
        for folder in (self.data, self.logs, self.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _cluster_id() -> str:
    """A random id in Kafka's notation: 16 bytes as 22 letters, never led by '-', which reads as an option."""
    return "s" + base64.urlsafe_b64encode(secrets.token_bytes(15)).decode() + "A"


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """Passwords, made up on the first day, and the ports used last, so that clients' settings stay right."""

    cluster_id: str = msgspec.field(default_factory=_cluster_id)
    postgres_password: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    kafka_password: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    role_secret: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    ports: dict[str, int] = {}


def recall(home: Home) -> Remembered:
    """What the home remembers of its last start."""
    home.create()
    file = home.data / "local.json"
    return msgspec.json.decode(file.read_bytes(), type=Remembered) if file.exists() else Remembered()


def with_ports(facts: Remembered, ports: Mapping[str, int]) -> Remembered:
    """The same facts, with these ports wanted at the next start."""
    return msgspec.structs.replace(facts, ports=dict(ports))


def remember(home: Home, facts: Remembered) -> None:
    """Keeps the facts for the next start, readable by the owner alone."""
    write_private(home.data / "local.json", msgspec.json.encode(facts).decode())


def write_private(file: Path, text: str) -> None:
    """Replaces a file at once (a reader sees the old or the new text, never half), mode 0600."""
    partial = file.with_name(file.name + ".partial")
    partial.touch(mode=0o600)
    with partial.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())  # or a power cut could leave the new name with nothing in it
    partial.replace(file)


def choose_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """A port on 127.0.0.1 for every name: the wanted one, else the next that is free. No other choice on this
    machine is given it, before its server listens or later, until this process ends."""
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        candidates = range(port, port + PORTS_TRIED_MAX)
        found = next((p for p in candidates if p not in chosen.values() and is_free(p) and _claim(p)), None)
        if found is None:
            raise OSError(f"no free port for {name} from {port} to {candidates[-1]}")
        chosen[name] = found
    return chosen


def is_free(port: int) -> bool:
    """True when a server could listen there now (a connection that is winding down does not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _claim(port: int) -> bool:
    """True when nobody else has chosen the port. A server takes a while to listen, and of two starts at the
    same instant each must see what the other has chosen: it holds the UDP port of that number, which nothing
    of ours uses and which the system gives back however the process ends."""
    claim = socket.socket(type=socket.SOCK_DGRAM)
    try:
        claim.bind((LOOPBACK, port))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
