"""A real Alertmanager receives an incident, tells of it once, keeps it over restarts, and ends it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.alerts.notify.senders import Senders
from spendmeter.contracts.channels import AlertmanagerSettings
from tests.alerts.conftest import Listener
from tests.alerts.notifying import message
from tests.ports import free_port
from tests.waiting import until

HOME = Path(os.environ.get("SPENDMETER_HOME") or Path(__file__).parents[2] / ".spendmeter")
BUILT = HOME / "alertmanager" / "alertmanager"
CONFIGURATION = """
route:
  receiver: people
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: people
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


def binary() -> str | None:
    """Ours, or the distribution's."""
    if BUILT.exists():
        return str(BUILT)
    return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


pytestmark = pytest.mark.skipif(
    binary() is None,
    reason="no Alertmanager here: make alertmanager, or apt-get install prometheus-alertmanager",
)


class Alertmanager:
    """One that tells `people` of what fires."""

    def __init__(self, folder: Path, people: Listener) -> None:
        self.port, self.people, self._folder = free_port(), people, folder
        self.settings = AlertmanagerSettings(url=f"http://127.0.0.1:{self.port}", labels={"route": "finops"})
        (folder / "alertmanager.yml").write_text(CONFIGURATION.format(url=people.url), "utf-8")
        self._process: subprocess.Popen[bytes]

    async def start(self) -> None:
        program = binary()
        assert program is not None
        self._process = subprocess.Popen(
            [
                program, f"--config.file={self._folder}/alertmanager.yml", f"--storage.path={self._folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=warn",
            ],
            stdout=(self._folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip

        async def ready() -> bool:
            async with httpx.AsyncClient() as client:
                try:
                    return (await client.get(f"{self.settings.url}/-/ready")).is_success
                except httpx.TransportError:
                    return False

        await until(ready, "Alertmanager is ready", within_s=20)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(15)

    async def alerts(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as client:
            found: list[dict[str, Any]] = (await client.get(f"{self.settings.url}/api/v2/alerts")).json()
            return found

    @property
    def told(self) -> list[str]:
        """firing or resolved, and of which severity, as people heard it."""
        groups = [json.loads(body) for _, body in self.people.requests]
        return [
            f"{alert['status']} {alert['labels']['severity']}"
            for group in groups
            for alert in group["alerts"]
        ]


@pytest.fixture
async def alertmanager(tmp_path: Path, new_listener: Any) -> AsyncIterator[Alertmanager]:
    running = Alertmanager(tmp_path, await new_listener())
    await running.start()
    yield running
    running.stop()


async def say(alertmanager: Alertmanager, remembered: dict[str, str], **changed: Any) -> None:
    now = datetime.now(UTC)
    async with Senders(allow_private=True) as senders:
        answer = await senders.send(
            alertmanager.settings, message(began_at=now, at=now, **changed), remembered
        )
    assert answer.delivered, answer.error
    remembered |= answer.remember


async def until_told(alertmanager: Alertmanager, expected: list[str]) -> None:
    async def said() -> bool:
        return len(alertmanager.told) >= len(expected)

    await until(said, f"people hear {expected}", within_s=15)
    assert alertmanager.told == expected


async def test_an_alertmanager_tells_of_an_incident_once_and_of_its_end_and_of_a_repeat(
    alertmanager: Alertmanager,
) -> None:
    remembered: dict[str, str] = {}
    await say(alertmanager, remembered)
    await until_told(alertmanager, ["firing critical"])
    for _ in range(3):
        await say(alertmanager, remembered, transition="updated")
        await asyncio.sleep(0.7)
    (alert,) = await alertmanager.alerts()
    assert alert["labels"]["alertname"] == "SpendBurst"
    assert alert["annotations"]["summary"] == "agent researcher spends 3,092 USD/h, usually 11"
    stands = datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC)
    assert 800 < stands.total_seconds() <= 900  # a quarter of an hour from the last word
    await until_told(alertmanager, ["firing critical"])
    await say(alertmanager, remembered, transition="resolved")
    await until_told(alertmanager, ["firing critical", "resolved critical"])
    assert await alertmanager.alerts() == []
    await say(alertmanager, remembered, transition="repeated")
    await until_told(alertmanager, ["firing critical", "resolved critical", "firing critical"])


async def test_a_restart_of_the_alertmanager_neither_ends_an_incident_nor_tells_it_again(
    alertmanager: Alertmanager,
) -> None:
    remembered: dict[str, str] = {}
    await say(alertmanager, remembered)
    await until_told(alertmanager, ["firing critical"])
    alertmanager.stop()
    await alertmanager.start()
    assert await alertmanager.alerts() == []  # it keeps no alerts: who sends them says them again
    await say(alertmanager, remembered)
    assert len(await alertmanager.alerts()) == 1
    await asyncio.sleep(2.5)
    assert alertmanager.told == ["firing critical"]


async def test_an_incident_that_became_worse_fires_anew_and_its_milder_alert_ends(
    alertmanager: Alertmanager,
) -> None:
    remembered: dict[str, str] = {}
    await say(alertmanager, remembered, severity="warning")
    await until_told(alertmanager, ["firing warning"])
    await say(alertmanager, remembered, transition="grew")
    await asyncio.sleep(2.5)
    assert sorted(alertmanager.told) == ["firing critical", "firing warning", "resolved warning"]
    (alert,) = await alertmanager.alerts()
    assert alert["labels"]["severity"] == "critical"


async def test_names_of_any_script_and_length_are_taken(alertmanager: Alertmanager) -> None:
    names = {
        "agent": "x" * 10_000,
        "team": "\u05e6\u05d5\u05d5\u05ea 👩‍👩‍👧 \u202e",
        "own dimension": 'a"\\\n{}',
    }
    await say(alertmanager, {}, scope=names, title="é" * 10_000, severity="info")
    (alert,) = await alertmanager.alerts()
    assert alert["labels"]["own_dimension"] == 'a"\\\\n{}'
    assert len(alert["labels"]["agent"]) == 1000
