"""The eight services and the demo as processes: their commands, and the environment that is their contract.

docker-compose.yml states the same contract for containers; a test holds the two together.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.home import CLONE, LOOPBACK
from deploy.local.processes import launch
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.settings import LOCAL_HOSTS

PORTS = {
    "api": 8400,
    "ingest": 8401,
    "rating": 8402,
    "ledger": 8403,
    "alerts": 8404,
    "demo": 8405,
    "corrector": 8406,
    "reservations": 8407,
    "reconciler": 8408,
}
DATABASE_ROLES = {
    name: name for name in ("ingest", "ledger", "corrector", "alerts", "api", "reservations", "reconciler")
}
"""The services that have the database, and as whom. Rating is stateless and gets no URL."""
SERVICES = ("ingest", "rating", "ledger", "corrector", "alerts", "api", "reservations", "reconciler")
LEDGERS_MAX = 16
PROBE_SECONDS_MAX = 1.0
SILENT = "does not answer"


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service, started as `python -m MODULE` from the clone."""

    name: str
    module: str
    port: int
    environment: Mapping[str, str] = field(repr=False)
    stop_signal: signal.Signals = signal.SIGTERM

    def spawn(self, log: Path) -> subprocess.Popen[bytes]:
        environment = {**_inherited(), **self.environment, "PYTHONPATH": str(CLONE), "PYTHONUNBUFFERED": "1"}
        return launch([sys.executable, "-m", self.module], log, folder=CLONE, environment=environment)

    def trouble(self) -> str | None:
        return why_not_ready(self.port)


def names(ledgers: int) -> tuple[str, ...]:
    """What runs where so many ledgers share the partitions: `ledger`, then `ledger-2` and so on."""
    return tuple(
        each for name in SERVICES for each in (name, *(_further(ledgers) if name == "ledger" else ()))
    )


def kind(name: str) -> str:
    """Which service the process of this name is: `ledger` for `ledger-2`."""
    return name.partition("-")[0]


def ports(ledgers: int) -> dict[str, int]:
    """The port that each wants."""
    return PORTS | _further(ledgers)


def _further(ledgers: int) -> dict[str, int]:
    """Of the ledgers after the first."""
    return {f"ledger-{number}": PORTS["ledger"] + 10 * number for number in range(2, ledgers + 1)}


def why_not_ready(port: int) -> str | None:
    """None when GET /ready answers 200; else the detail of its problem, or SILENT."""
    try:
        urllib.request.urlopen(f"http://{LOOPBACK}:{port}/ready", timeout=PROBE_SECONDS_MAX).close()
    except urllib.error.HTTPError as answer:
        with answer:
            return _detail(answer.read())
    except (OSError, http.client.HTTPException):
        return SILENT
    return None


def service(
    name: str,
    *,
    port: int,
    kafka: KafkaAccess,
    database_url: str | None,
    topic_prefix: str,
    partitions: int,
    demo: bool,
    portal_url: str = "",
    ingest_url: str = "",
    accrual_key: str = "",
    team_database_url: str = "",
) -> Service:
    """The service with what it reads (spendmeter/platform/settings.py)."""
    environment = {
        **kafka.environment(),
        "SPENDMETER_HOST": LOOPBACK,
        "SPENDMETER_HOSTS": os.environ.get("SPENDMETER_HOSTS", LOCAL_HOSTS),
        "SPENDMETER_PORT": str(port),
        "SPENDMETER_TOPIC_PREFIX": topic_prefix,
        "SPENDMETER_PARTITIONS": str(partitions),
    }
    if name == "api" and (origins := os.environ.get("SPENDMETER_CORS_ORIGINS")):
        environment["SPENDMETER_CORS_ORIGINS"] = origins
    if name == "api" and (issuers := os.environ.get("SPENDMETER_ISSUERS")):
        environment["SPENDMETER_ISSUERS"] = issuers
    if database_url is not None:
        environment["DATABASE_URL"] = database_url
    if name == "alerts":
        environment["SPENDMETER_PORTAL_URL"] = portal_url
    if name == "api":
        environment["SPENDMETER_INGEST_URL"] = ingest_url
        environment["SPENDMETER_ACCRUAL_KEY"] = accrual_key
        environment["SPENDMETER_TEAM_DATABASE_URL"] = team_database_url
    if name in ("alerts", "api") and demo:
        # The demo's sink is on 127.0.0.1; api takes exactly the channels that alerts delivers to.
        environment["SPENDMETER_WEBHOOK_ALLOW_PRIVATE"] = "true"
    return Service(name=name, module=f"services.{kind(name)}", port=port, environment=environment)


def demo(*, port: int, environment: Mapping[str, str]) -> Service:
    """The demo: it sends usage, and receives alerts at `webhook_url`."""
    environment = {**environment, "SPENDMETER_HOST": LOOPBACK, "SPENDMETER_PORT": str(port)}
    return Service(name="demo", module="deploy.demo", port=port, environment=environment)


def webhook_url(port: int) -> str:
    """Where the demo receives alerts."""
    return f"http://{LOOPBACK}:{port}/alerts"


def addresses(ports: Mapping[str, int]) -> dict[str, str]:
    """The URLs that people and programs use."""
    ingest, api, reservations = (
        f"http://{LOOPBACK}:{ports[name]}" for name in ("ingest", "api", "reservations")
    )
    return {
        "SPENDMETER_INGEST_URL": ingest,
        "SPENDMETER_API_URL": api,
        "SPENDMETER_PORTAL_URL": f"{api}/",
        "SPENDMETER_RESERVATIONS_URL": reservations,
    }


def _inherited() -> dict[str, str]:
    """Our environment without the owner's URL: a service has its own role's or none."""
    return {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "is not ready and does not say why"
