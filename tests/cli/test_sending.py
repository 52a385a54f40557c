"""`send` and `replay`, against a system that is faked behind HTTP; tests/flow runs them on the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli._outcome import print_receipt
from cli.app import build
from spendmeter.platform import settings
from tests.cli.fake import Fake, fake_system

TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,0"


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_system() as fake:
        for name in ("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL"):
            monkeypatch.setenv(name, fake.url)
        monkeypatch.setenv("SPENDMETER_API_KEY", "sm_test")
        yield fake


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "trace.csv"
    file.write_text(TRACE, newline="")
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build([str(arguments[0])]), [str(part) for part in arguments])


def test_send_ends_at_the_receipt_and_its_lines(system: Fake) -> None:
    result = run("send", "OpenAI/gpt-4o", "input_tokens=5", "--label", "team=search", "--id", "a/b c")
    assert result.exit_code == 0, result.output
    assert "booked: cli/a/b c" in result.output
    assert "5 x 2 = 10 USD" in result.output
    data = system.booked["a/b c"]["data"]
    assert data == {
        "provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": "5"}, "labels": {"team": "search"},
    }  # fmt: skip
    assert system.keys == {"Bearer sm_test"}


def test_send_again_shows_that_it_was_a_duplicate(system: Fake) -> None:
    run("send", "openai/gpt-4o", "input_tokens=5", "--id", "x")
    result = run("send", "openai/gpt-4o", "input_tokens=5", "--id", "x")
    assert result.exit_code == 0
    assert result.output.startswith("duplicate: cli/x was booked already, at 2026-11-23T10:00:01Z")


def test_send_says_that_another_event_has_the_id_and_that_nothing_was_booked(system: Fake) -> None:
    run("send", "openai/gpt-4o", "input_tokens=5", "--id", "x")
    result = run("send", "openai/gpt-4o", "input_tokens=6", "--id", "x")
    assert result.exit_code == 1
    assert result.output.startswith("conflict: cli/x is another event, booked first")
    assert "yours was not booked" in result.output
    said = json.loads(run("send", "openai/gpt-4o", "input_tokens=7", "--id", "x", "--json").output)
    assert said["outcome"] == "conflict"


@pytest.mark.parametrize(
    ("status", "code"), [("priced", 0), ("free", 0), ("reported", 0), ("provisional", 3), ("unpriced", 3)]
)
def test_the_exit_code_says_whether_what_is_booked_has_a_price(system: Fake, status: str, code: int) -> None:
    system.status = status
    assert run("send", "openai/gpt-4o", "input_tokens=5").exit_code == code


def test_why_there_is_no_price_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    no_price = "No price for widgets of openai/gpt-4o on 2026-11-25"
    lines = [
        {
            "unit": "widgets",
            "arithmetic": [f"widgets: {no_price}, so no amount is booked"],
            "reason": no_price,
        },
        {
            "unit": "input_tokens",
            "arithmetic": ["price: 5 x 5", "list: 2 x 25 = 50 USD"],
            "reason": "a bound",
        },
        {"unit": "output_tokens", "arithmetic": ["price: 1", "list: 1 x 1 = 1 USD"], "reason": ""},
    ]
    entry = {
        "recorded_at": "2026-11-23T10:00:01Z", "status": "unpriced", "effective": "51", "currency": "USD",
        "catalog_version": 7, "lines": [line | {"status": "unpriced", "remarks": []} for line in lines],
    }  # fmt: skip
    print_receipt("booked", {"source": "cli", "id": "x", "time": "", "entries": [entry], "copies": []})
    told = capsys.readouterr().out.splitlines()
    assert told[2:8] == [
        f"    widgets: {no_price}, so no amount is booked",
        "    price: 5 x 5",
        "    list: 2 x 25 = 50 USD",
        "    input_tokens: a bound",
        "    price: 1",
        "    list: 1 x 1 = 1 USD",
    ]


def test_send_says_once_what_no_price_is_for(system: Fake) -> None:
    system.remarks = ["no price is for tier flexx: this one is for any"]
    result = run("send", "openai/gpt-4o", "input_tokens=5", "--tier", "flexx")
    assert result.output.count("no price is for tier flexx: this one is for any") == 1


def test_send_says_which_unit_was_probably_meant(system: Fake) -> None:
    system.status = "unpriced"
    result = run("send", "openai/gpt-4o", "input_token=5")
    assert "input_token: did you mean input_tokens?" in result.output
    said = json.loads(run("send", "openai/gpt-4o", "input_token=5", "--json").output)
    assert said["hints"] == ["input_token: did you mean input_tokens?"]


def test_send_takes_the_day_tier_and_region_that_price_takes(system: Fake) -> None:
    arguments = ("--at", "2026-11-23", "--tier", "Batch", "--region", "eu", "--id", "x")
    assert run("send", "openai/gpt-4o", "input_tokens=5", *arguments).exit_code == 0
    event = system.booked["x"]
    assert event["time"] == "2026-11-23T00:00:00+00:00"
    assert event["data"]["context"] == {"service_tier": "batch", "region": "eu", "batch": True}


@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("data.labels.team", "--label team"), ("data.context.region", "--region"), ("time", "--at"),
        ("data.context.service_tier", "--tier"), ("data.usage.prompt_tokens", "prompt_tokens"), ("id", "--id"),
    ],
)  # fmt: skip
def test_what_ingest_refuses_is_said_with_the_flag_in_text_and_json(
    system: Fake, field: str, flag: str
) -> None:
    errors = [{"index": 0, "field": field, "reason": "breaks a rule"}]
    refusal = (
        400,
        {"title": "Bad Request", "status": 400, "detail": "1 of 1 events are bad", "errors": errors},
    )
    system.answers = [refusal, refusal]
    result = run("send", "openai/gpt-4o", "input_tokens=5")
    assert (result.exit_code, f"refused: {flag}: breaks a rule" in result.output) == (1, True)
    result = run("send", "openai/gpt-4o", "input_tokens=5", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["errors"] == [errors[0] | {"flag": flag}]


def test_a_wrong_argument_is_json_where_that_was_asked_for(system: Fake) -> None:
    result = run("send", "openai/gpt-4o", "input_tokens=5", "--at", "yesterday", "--json")
    assert (result.exit_code, "--at 'yesterday'" in json.loads(result.output)["detail"]) == (2, True)


def test_send_prints_the_receipt_as_json(system: Fake) -> None:
    result = run("send", "openai/gpt-4o", "input_tokens=5", "--time", "2026-11-23T10:00:00Z", "--json")
    receipt = json.loads(result.output)
    assert receipt["status"] == "booked"
    assert system.booked[receipt["id"]]["time"] == "2026-11-23T10:00:00+00:00"
    assert receipt["outcome"] == "booked"


def test_what_ingest_refuses_is_said_with_the_field(system: Fake) -> None:
    errors = [{"index": 0, "field": "data.usage.input_tokens", "reason": "must be at least 0"}]
    system.answers = [(400, {"title": "Bad Request", "detail": "1 of 1 events are bad", "errors": errors})]
    result = run("send", "openai/gpt-4o", "input_tokens=-5")
    assert result.exit_code == 1
    assert "refused: input_tokens: must be at least 0" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gpt-4o", "input_tokens=5"), "PROVIDER/SKU"),
        (("openai/gpt-4o", "5"), "UNIT=NUMBER"),
        (("openai/gpt-4o", "input_tokens=5", "input_tokens=6"), "twice"),
        (("openai/gpt-4o", "input_tokens=5", "--label", "teem=search"), "--label teem"),
        (("openai/gpt-4o", "input_tokens=5", "--at", "yesterday"), "--at"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_sent(
    system: Fake, arguments: tuple[str, ...], said: str
) -> None:
    result = run("send", *arguments)
    assert (result.exit_code, said in result.output) == (2, True)
    assert not system.keys


def test_a_trace_replayed_twice_is_booked_once_rows_without_output_included(
    system: Fake, trace: Path
) -> None:
    first = run("replay", trace, "--model", "openai/gpt-4o", "--label", "team=search")
    assert first.exit_code == 0, first.output
    assert "accepted 2 events" in first.output
    assert "booked 2, duplicate 0" in first.output
    usages = [event["data"]["usage"] for event in system.booked.values()]
    assert usages == [{"input_tokens": 374, "output_tokens": 44}, {"input_tokens": 396, "output_tokens": 0}]
    second = run("replay", trace, "--model", "openai/gpt-4o", "--label", "team=search")
    assert "booked 0, duplicate 2" in second.output


def test_a_moved_file_is_the_same_trace_and_other_options_are_another(system: Fake, trace: Path) -> None:
    run("replay", trace, "--model", "openai/gpt-4o")
    moved = trace.rename(trace.with_name("moved.csv"))
    run("replay", moved, "--model", "openai/gpt-4o")
    assert (len(system.booked), system.duplicates) == (2, 2)
    run("replay", moved, "--model", "openai/gpt-4o-mini")
    assert len(system.booked) == 4


def test_replay_sends_again_with_the_same_ids_while_ingest_is_away(system: Fake, trace: Path) -> None:
    system.answers = [(503, {}), (500, {}), (503, {})]
    result = run("replay", trace, "--model", "openai/gpt-4o")
    assert "accepted 2 events" in result.output
    assert (len(system.booked), system.duplicates) == (2, 0)


def test_times_beyond_the_horizon_are_refused_before_anything_is_sent(
    system: Fake, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("replay", trace, "--model", "openai/gpt-4o", "--keep-time")
    assert result.exit_code == 1
    for said in ("line 2", "2023-11-16T18:15:46", "400 days", "SPENDMETER_EVENT_AGE_MAX_DAYS"):
        assert said in result.output
    assert not system.booked
    monkeypatch.setenv("SPENDMETER_EVENT_AGE_MAX_DAYS", "40000")
    assert settings.Settings().event_age_max_days == 40_000
    run("replay", trace, "--model", "openai/gpt-4o", "--keep-time")
    assert {event["time"][:19] for event in system.booked.values()} == {
        "2023-11-16T18:15:46",
        "2023-11-16T18:15:50",
    }


@pytest.mark.parametrize(
    "row", ["2023-11-16 18:15:50,12", "2023-11-16 18:15:50,12,-1", "2023-11-16 18:15:50,\uff11,1"]
)
def test_a_bad_row_is_named_before_anything_is_sent(system: Fake, trace: Path, row: str) -> None:
    trace.write_text(f"{TRACE}\n{row}\n")
    result = run("replay", trace, "--model", "openai/gpt-4o")
    assert (result.exit_code, "line 4" in result.output) == (1, True)
    assert not system.booked


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08\x00\xff", TRACE.encode() + b"\n\xff\xfe", b'"' + b"x" * 200_000]
)
def test_what_is_no_csv_file_is_said(system: Fake, trace: Path, content: bytes) -> None:
    trace.write_bytes(content)
    result = run("replay", trace, "--model", "openai/gpt-4o")
    assert (result.exit_code, f"{trace.name} is no CSV file" in result.output) == (1, True), result.output
    assert not system.booked


def test_without_a_running_system_the_command_says_what_to_type(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPENDMETER_HOME", str(tmp_path))
    for name in ("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL", "SPENDMETER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    result = run("replay", trace, "--model", "openai/gpt-4o")
    assert (result.exit_code, "spendmeter up" in result.output) == (1, True)
