"""`spendmeter run` and `spendmeter outcomes`, against a system that is faked behind HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from services.api.http.openapi import EXAMPLES
from tests.cli.fake import Fake, fake_system
from tests.cli.test_sending import run


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_system() as fake:
        monkeypatch.setenv("SPENDMETER_API_URL", fake.url)
        monkeypatch.setenv("SPENDMETER_API_KEY", "sm_test")
        fake.unbooked = {"/v1/runs": EXAMPLES["run"]}
        yield fake


def test_a_run_is_printed_as_a_receipt(system: Fake) -> None:
    result = run("run", "agents/refund/81")
    assert result.exit_code == 0, result.output
    assert system.asked == ["/v1/runs?run=agents%2Frefund%2F81"]
    assert result.output.splitlines() == [
        "0.165 USD for 4 events; 3 refund_resolved (2 accepted, 0 refused, 1 open, 1 reversed beside)",
        "2026-11-23T10:00:00Z to 2026-11-23T10:04:00Z",
        "",
        "by cost class:",
        "  model: 0.15 USD, 3 events",
        "  database: 0.015 USD, 1 events",
        "",
        "by provider and sku:",
        "  openai gpt-4o: 0.15 USD, 3 events",
        "  pinecone serverless: 0.015 USD, 1 events",
        "",
        "by agent:",
        "  triage: 0.165 USD, 4 events",
        "",
        "by workflow and workflow version:",
        "  refund v2: 0.165 USD, 4 events",
        "",
        "calls: 4 (3 ok, 1 error); 500 ms each on average, 830 ms the longest",
        "refund_resolved: 4 stated (2 accepted, 0 refused, 1 open, 1 reversed), the last at 2026-11-23T10:04:05Z",
        "  worth 12.6 USD, of which accepted 8.4 USD",
        "  0.055 USD per outcome",
        "  0.0825 USD per accepted outcome",
        "",
        "its newest events (1):",
        "  2026-11-23T10:04:00Z refunds/req-4: 0.05 USD (priced)",
    ]


def test_what_is_not_in_it_is_printed_and_json_is_the_answer(system: Fake) -> None:
    lacking = {**EXAMPLES["run"], "not_in_it": ["2 events (USD) have no price"], "beyond": {"by_agent": 7}}
    system.unbooked = {"/v1/runs": lacking}
    lines = run("run", "run-81").output.splitlines()
    assert lines[lines.index("not in it:") + 1] == "  2 events (USD) have no price"
    assert lines[lines.index("by agent:") + 2] == "  and 7 more"
    assert json.loads(run("run", "run-81", "--json").output) == lacking


def test_outcomes_are_listed_with_what_became_of_them(system: Fake) -> None:
    system.unbooked = {
        "/v1/outcomes": EXAMPLES["outcomes"],
        "/v1/outcomes/faults": EXAMPLES["outcome_faults"],
    }
    result = run("outcomes", "--state", "accepted", "--workflow", "refund")
    assert result.output.splitlines() == [
        "2026-11-23T10:04:05Z 1 refund_resolved, worth 4.2 USD: accepted by helpdesk/case-17-kept "
        "(2026-11-26T09:12:00Z)",
        "  helpdesk/case-17, run agents/refund/81, workflow refund v2",
    ]
    assert system.asked == ["/v1/outcomes?limit=50&workflow=refund&state=accepted"]
    assert run("outcomes", "--faults").output.splitlines() == [
        "2026-11-23T10:07:06.120Z conflict: helpdesk/case-17 of key k7f3a00000000",
        "  another outcome with the same tenant, source and id came before; that one stays",
    ]
    system.unbooked["/v1/outcomes"] = {"outcomes": [], "next_cursor": None}
    assert run("outcomes").output.splitlines() == ["none"]
