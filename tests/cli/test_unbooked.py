"""`spendmeter unbooked`, and `send` in another's place, against a system that is faked behind HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api.http.openapi import EXAMPLES
from tests.cli.fake import Fake, fake_system
from tests.cli.test_sending import run


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_system() as fake:
        for name in ("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL"):
            monkeypatch.setenv(name, fake.url)
        monkeypatch.setenv("SPENDMETER_API_KEY", "sm_test")
        fake.unbooked = {"/v1/unbooked": EXAMPLES["unbooked"], "/v1/unbooked/faults": EXAMPLES["faults"]}
        yield fake


def test_ten_thousand_of_one_fault_are_a_line_with_the_last_one_and_what_to_do(system: Fake) -> None:
    result = run("unbooked", "--unresolved", "--key", "k7f3a...")
    assert result.exit_code == 0, result.output
    first, last, todo = result.output.splitlines()
    assert first == (
        "10,000 rejected of key checkout (k7f3a...), 9,999 without remedy: "
        "data.usage.input_tokens: must be at least … and below …^…"
    )
    assert last.endswith(": checkout-bot/req/10081")
    assert todo.startswith("  to do: put right what the reason names and send it again")
    assert system.asked == ["/v1/unbooked/faults?key=k7f3a...&resolved=false"]


def test_rows_say_which_key_when_the_digest_and_what_was_booked_instead(system: Fake) -> None:
    result = run("unbooked", "--rows", "--outcome", "rejected", "--reason", "must be", "--limit", "5")
    assert result.output.splitlines() == [
        "rejected: checkout-bot/req/82: data.usage.input_tokens: must be at least 0 and below 2^63",
        "  2026-11-23T10:00:00.712Z, key checkout (k7f3a...), partition 2, offset 4712, 512 bytes, sha256 "
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "  booked instead: checkout-bot/req/82-fixed (2026-11-23T11:02:09.120Z)",
    ]
    assert system.asked == ["/v1/unbooked?outcome=rejected&reason=must+be&limit=5"]
    assert json.loads(run("unbooked", "--rows", "--json").output) == EXAMPLES["unbooked"]


def test_what_names_no_tenant_is_asked_for_with_the_operators_key(
    system: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", "sm_operator")
    monkeypatch.delenv("SPENDMETER_API_KEY")
    assert run("unbooked", "--nobody").exit_code == 0
    assert system.asked == ["/v1/unbooked/faults?"]


def test_send_names_the_submission_whose_place_it_takes(system: Fake) -> None:
    run(
        "send",
        "openai/gpt-4o",
        "input_tokens=5",
        "--id",
        "b",
        "--supersedes",
        "a",
        "--supersedes-source",
        "bots",
    )
    assert (system.booked["b"]["supersedes"], system.booked["b"]["supersedessource"]) == ("a", "bots")
    run("send", "openai/gpt-4o", "input_tokens=5", "--id", "c")
    assert "supersedes" not in system.booked["c"]


def test_send_takes_a_fixed_event_from_a_file_under_a_new_id(system: Fake, tmp_path: Path) -> None:
    file = tmp_path / "fixed.json"
    sent = {"id": "req/82", "source": "cli", "data": {"provider": "x", "sku": "y", "usage": {"tokens": 5}}}
    file.write_text(json.dumps(sent))
    result = run("send", "--file", file, "--id", "req/82-fixed", "--supersedes", "req/82")
    assert result.exit_code == 0, result.output
    assert system.booked["req/82-fixed"] == sent | {"id": "req/82-fixed", "supersedes": "req/82"}


@pytest.mark.parametrize(
    ("content", "arguments", "reason"),
    [
        ("{", (), "Expecting"),
        ("[]", (), "is not one event"),
        ('{"source": "bot"}', (), "has no id: give --id"),
        ("{}", ("openai/gpt-4o", "input_tokens=5"), "is in the file"),
    ],
)
def test_a_file_that_is_no_event_sends_nothing(
    system: Fake, tmp_path: Path, content: str, arguments: tuple[str, ...], reason: str
) -> None:
    file = tmp_path / "fixed.json"
    file.write_text(content)
    result = run("send", *arguments, "--file", file, "--json")
    assert (result.exit_code, system.booked) == (2, {})
    assert reason in json.loads(result.output)["detail"]


def test_send_without_a_quantity_is_a_wrong_argument(system: Fake) -> None:
    assert run("send", "openai/gpt-4o").exit_code == run("send").exit_code == 2
