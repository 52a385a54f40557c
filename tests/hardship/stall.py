"""How long strangers without a key keep others waiting for /health of ingest and api."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from deploy.local.home import CLONE
from tests.flow.system import System

ASK_EVERY_S = 0.02
SECONDS = 15.0
"""Longer than half-sent headers may last, so that they end and begin again."""


def measure(system: System, seconds: float = SECONDS) -> dict[str, float]:
    """`stall_max_ms`: the longest answer of /health during the attack, of either service; `stall_quiet_ms`: the
    longest in the seconds before it. AssertionError when an answer is not 200 or does not come."""
    urls = [system.ingest, system.api]
    quiet_s = _longest_s(urls, seconds / 5)
    ports = [str(urlsplit(url).port) for url in urls]
    strangers = subprocess.Popen(
        [sys.executable, "-m", "tests.hardship.strangers", *ports],
        cwd=CLONE,
        env=os.environ | {"PYTHONPATH": str(CLONE)},
    )
    try:
        attacked_s = _longest_s(urls, seconds)
        assert strangers.poll() is None, "the strangers gave up"
    finally:
        strangers.kill()
        strangers.wait()
    return {"stall_max_ms": round(attacked_s * 1e3, 1), "stall_quiet_ms": round(quiet_s * 1e3, 1)}


def _longest_s(urls: list[str], seconds: float) -> float:
    with ThreadPoolExecutor(len(urls)) as pool:
        return max(pool.map(lambda url: longest_s(url, seconds), urls))


def longest_s(url: str, seconds: float) -> float:
    """The longest answer of `url`/health, asked every 20 ms on one connection."""
    address = urlsplit(url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    longest, end = 0.0, time.monotonic() + seconds
    try:
        while (asked := time.monotonic()) < end:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took = time.monotonic() - asked
            longest = max(longest, took)
            time.sleep(max(0.0, ASK_EVERY_S - took))
    finally:
        connection.close()
    return longest
