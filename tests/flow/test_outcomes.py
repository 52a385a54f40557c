"""What work achieved, and a call that is told again: from the door to the receipt, on the real system."""

from __future__ import annotations

import os
import re
import subprocess
from decimal import Decimal
from uuid import uuid4

import asyncpg
import httpx

from deploy.local.home import CLONE
from tests.flow.book import money, settled
from tests.flow.system import System, eventually, usage_event

PAGE = CLONE / "docs" / "outcomes.md"
RUN = "agents/refund/81"


def in_shell(system: System, lines: str) -> str:
    """As somebody types it who has asked `spendmeter env`."""
    path = f"{CLONE / 'bin'}:{os.environ['PATH']}"
    environment = {
        **os.environ,
        **system.state.environment,
        "SPENDMETER_HOME": str(system.folder),
        "PATH": path,
    }
    done = subprocess.run(["bash", "-ec", lines], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_on_outcomes_does_what_it_says(system: System) -> None:
    """0.005 + 0.02 = 0.025 USD; of two outcomes one was accepted and one reversed. 12,000 ms over two calls."""
    sent, shown = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert in_shell(system, sent) == ""

    def is_whole() -> bool:
        answer = httpx.get(
            f"{system.api}/v1/runs",
            params={"run": RUN},
            headers={"Authorization": f"Bearer {system.keys['acme']}", "Cache-Control": "no-cache"},
        )
        if answer.status_code == 404:
            return False
        found = answer.raise_for_status().json()
        outcomes = found["outcomes"]
        return found["calls"]["attempts"] == 2 and bool(outcomes) and outcomes[0]["open"] == 0

    eventually("the run's receipt to be whole", is_whole, every_s=0.5)
    printed = in_shell(system, shown)
    for line in (
        "0.025 USD for 2 events; 1 refund_resolved (1 accepted, 0 refused, 0 open, 1 reversed beside)",
        "  writer: 0.02 USD, 1 events",
        "  triage: 0.005 USD, 1 events",
        "calls: 2 (1 ok, 1 error); 6000 ms each on average, 9,000 ms the longest",
        "  0.025 USD per accepted outcome",
    ):
        assert line in printed.splitlines(), printed


async def test_an_interrupted_call_that_is_told_again_costs_what_it_was(
    system: System, owner: asyncpg.Connection
) -> None:
    """Booked at 1,000 input and at most 4,096 output tokens, 0.0025 + 0.04096; it were 120, 0.0025 + 0.0012."""
    source = f"streams-{uuid4().hex[:6]}"
    usage = {"input_tokens": 1000, "output_tokens": 4096}
    cut_off = usage_event("call", source=source, usage=usage, estimated=["output_tokens"])
    assert system.send(cut_off).status_code == 204
    assert await settled(owner, source, 1) == {"booked": 1}
    assert await money(owner, source) == Decimal("0.04346")
    assert system.get("/v1/events", source=source, id="call")["entries"][0]["status"] == "provisional"

    whole = usage_event("call", source=source, usage={"input_tokens": 1000, "output_tokens": 120})
    assert system.send(whole).status_code == 204
    assert await settled(owner, source, 2) == {"booked": 1, "conflict": 1}
    receipt = eventually(
        "the amend",
        lambda: (
            (found := system.get("/v1/events", source=source, id="call"))["sums"][0]["effective"] == "0.0037"
            and found
        ),
    )
    assert [(entry["kind"], entry["status"]) for entry in receipt["entries"]] == [
        ("usage", "provisional"),
        ("reversal", "provisional"),
        ("replacement", "priced"),
    ]
    assert receipt["entries"][2]["cause"]["author"] == f"key {system.keys['acme'].split('_')[2]}"
    assert not receipt["summary"].startswith("conflict"), receipt["summary"]
    [row] = system.get("/v1/unbooked", source=source)["unbooked"]
    assert (row["outcome"], row["amended"], row["booked_instead"]["id"]) == ("conflict", True, "call")

    # both once more: the message is what is booked, the estimate says no more of it
    assert system.send(whole, cut_off).status_code == 204
    assert await settled(owner, source, 4) == {"booked": 1, "duplicate": 2, "conflict": 1}
    assert await money(owner, source) == Decimal("0.0037")
