"""The load generator tells the truth: its log says what it sent, and a retry sends the same again."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.local.home import CLONE
from tests.cli.fake import fake_system


def generated(tmp_path: Path, url: str, *options: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Half a second of load: the log's lines and the summary."""
    keys, out = tmp_path / "keys.json", tmp_path / "sent.jsonl"
    keys.write_text(json.dumps({"acme": "sm_a", "globex": "sm_b", "initech": "sm_c"}))
    command = [sys.executable, "-m", "tests.benchmarks.load", "--ingest", url, "--keys", str(keys)]
    command += ["--rate", "2000", "--seconds", "0.5", "--seed", "7", "--out", str(out), *options]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return lines, json.loads(done.stdout.splitlines()[-1])


def test_the_log_says_what_was_sent_duplicates_and_retries_included(tmp_path: Path) -> None:
    with fake_system() as system:
        system.answers = [(503, {}), (500, {})]
        lines, summary = generated(tmp_path, system.url)
        sent = dict(system.booked)
        duplicates = system.duplicates
    assert summary["events"] == summary["accepted"] == len(lines) == 1000
    assert summary["retried_requests"] == 2
    assert {line["outcome"] for line in lines} == {"accepted"}
    assert {line["tenant"] for line in lines} == {"acme", "globex", "initech"}
    assert duplicates == len(lines) - len(sent)
    assert 5 <= len({(line["tenant"], line["id"]) for line in lines}) <= len(lines) - 5
    by_id = {(line["tenant"], line["id"]): line for line in lines}
    for event in sent.values():
        line = by_id[event["subject"].split("/")[0], event["id"]]
        data = event["data"]
        said = (data["provider"], data["sku"], data["usage"], data["labels"], event["time"], event["source"])
        assert said == tuple(line[name] for name in ("provider", "sku", "usage", "labels", "time", "source"))


def test_the_same_seed_says_the_same(tmp_path: Path) -> None:
    def contents(*options: str) -> list[Any]:
        with fake_system() as system:
            lines, _ = generated(tmp_path, system.url, "--concurrency", "1", *options)
        return [[line[name] for name in ("tenant", "id", "sku", "usage", "labels")] for line in lines]

    assert contents() == contents()
    assert contents() != contents("--seed", "8")


def test_an_ingest_that_stays_away_leaves_an_unknown_outcome_and_a_refusal_is_one(tmp_path: Path) -> None:
    lines, summary = generated(tmp_path, "http://127.0.0.1:9", "--patience", "0.5")
    assert {line["outcome"] for line in lines} == {"unknown"}
    assert summary["unknown"] == len(lines)
    with fake_system() as system:
        system.answers = [(403, {})] * 1000
        lines, summary = generated(tmp_path, system.url)
    assert {line["outcome"] for line in lines} == {"refused"}


def test_late_events_are_of_any_second_of_the_days_before_in_no_order(tmp_path: Path) -> None:
    with fake_system() as system:
        lines, _ = generated(tmp_path, system.url, "--late-days", "2", "--provider", "elsewhere")
    assert {line["provider"] for line in lines} == {"elsewhere"}
    now = datetime.now(UTC)
    ages = [now - datetime.fromisoformat(line["time"]) for line in lines]
    assert timedelta(days=1) <= min(ages) < timedelta(days=1, hours=1)
    assert timedelta(days=2, hours=23) < max(ages) <= timedelta(days=3, minutes=1)
    assert ages not in (sorted(ages), sorted(ages, reverse=True))
