"""The load under which parts of a system crash, and what its sender's own log comes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from deploy.local.home import CLONE
from tests.flow.system import System

PRICES = CLONE / "tests" / "flow" / "prices.toml"
Prices = Mapping[str, Mapping[str, str]]
"""By model, what one of each unit costs."""
REQUEST_EVENTS = 1_000
"""As many as a request may hold: an idle machine would else book them as they come."""


@contextmanager
def under_load(
    system: System, log: Path, seed: int, rate: str, seconds: float, *said: str
) -> Iterator[subprocess.Popen[str]]:
    """The load generator as a process of its own; ended here when nobody waited for it."""
    keys = log.with_name("keys.json")
    keys.touch(mode=0o600)
    keys.write_text(json.dumps(system.keys))
    command = [sys.executable, "-m", "tests.benchmarks.load", "--ingest", system.ingest, "--keys", str(keys)]
    command += ["--rate", rate, "--seconds", str(seconds), "--seed", str(seed), "--out", str(log)]
    command += ["--request-events", str(REQUEST_EVENTS), *said]
    process = subprocess.Popen(
        command, cwd=CLONE, env=os.environ | {"PYTHONPATH": str(CLONE)}, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def accepted(load: subprocess.Popen[str], within_s: float = 240) -> dict[str, Any]:
    """What the load generator says at its end; all that it sent was accepted."""
    output, _ = load.communicate(timeout=within_s)
    assert load.returncode == 0, f"the load generator ended with {load.returncode}"
    report: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    assert report["unknown"] == report["refused"] == 0, f"the load was not accepted: {report}"
    return report


def literal_prices() -> Prices:
    """Of the shipped catalog's."""
    prices: Prices = tomllib.loads(PRICES.read_text())["prices"]
    return prices


def sent(log: Path) -> list[dict[str, Any]]:
    """The lines of a sender's log, each event once."""
    events: dict[tuple[str, str], dict[str, Any]] = {}
    with log.open() as lines:
        for line in map(json.loads, lines):
            known = events.setdefault((line["tenant"], line["id"]), line)
            assert known["usage"] == line["usage"], f"{line['id']} says two things"
    return list(events.values())


def worth(line: Mapping[str, Any], prices: Prices) -> Decimal:
    """What an event costs."""
    price = prices[f"{line['provider']}/{line['sku']}"]
    return sum((n * Decimal(price[unit]) for unit, n in line["usage"].items()), Decimal(0))
