"""How fast the portal is before a large book: every page's calls with 50 users at once, and what a Chromium sees.

    python -m tests.benchmarks.bench_portal [--events 10000000] [--days 90] [--seconds 180] [--users 50] [--home FOLDER]

1. `spendmeter up`, and a book of --events over --days: 200 teams, 60 models, runs, workflows, outcomes, budgets
   (portal_book.py says how). With --home it stays, and a second run there measures the same book again.
2. A Chromium logs in and opens every place of the rail and its tabs, and each page that these lead to, for 6 s: which
   calls of the API it makes, and when, is written down; of a page that has a range, of 30 days too and of one team.
   Then it opens the portal nine times as somebody who was never there (`fcp_ms`, `first_figure_ms`: the first total
   is read; `first_load_kb`: what came over the wire until no card was busy) and sets 21 filters (`filter_ms`: from
   the new address to the frame after the answer). Medians; `_max` is the slowest.
3. --users, each with a key of their own, open pages for --seconds: one of what was written down, its calls made again
   when the page made them, refreshes too, every user with another team; after 6 s the next. `page_p99_ms` is of all
   calls of a page, from the question to the last byte of the answer, by the clock of another process on this
   machine, which has its share of the cores. Above it the slowest paths of each page. Who was told to come back
   later is no answer: `answers` counts them by status. So nobody waits for an answer before the next question
   that the page asks, and nobody asks without a page: 50 people who each open another page ten times a minute.
   `calls_per_s` is what that comes to, `cpu_s_per_s` what each service uses for it, of one core each.

All services run; nothing is booked meanwhile. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.platform.keys import create_key
from tests.benchmarks import portal_browser
from tests.benchmarks.portal_book import TENANT, make_book
from tests.flow.system import System

KEPT = {"SPENDMETER_MINUTES_KEPT_DAYS": "400"}
STATEMENT_S_MAX = 3_600
SLOWEST = 3


async def main_of(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with System(folder / "home", environment=KEPT) as system:
        owner = await asyncpg.connect(system.owner_url, command_timeout=STATEMENT_S_MAX)
        try:
            book = await _book(system, owner, options, folder / "book.json")
            print(json.dumps(book), flush=True)
            waiting = os.getloadavg()[0]
            key = await create_key(owner, TENANT, ["read", "admin"], name="looks at the portal")
            seen = await portal_browser.look(system.api, key)
            keys = [
                await create_key(owner, TENANT, ["read", "admin"], name=f"user {n}")
                for n in range(options.users)
            ]
        finally:
            await owner.close()
        before, began_s = system.cpu_seconds(), time.monotonic()
        found = await _users(system.api, seen, keys, options.seconds)
        took_s = time.monotonic() - began_s
        used = {name: total - before.get(name, 0.0) for name, total in system.cpu_seconds().items()}
    pages = {
        page: [each for times in paths.values() for each in times] for page, paths in found["took"].items()
    }
    for page, paths in sorted(found["took"].items()):
        slowest = sorted(paths, key=lambda path: percentile(paths[path], 99), reverse=True)[:SLOWEST]
        said = ", ".join(f"{path} {percentile(paths[path], 99)} of {len(paths[path])}" for path in slowest)
        print(f"{page}: p50 {percentile(pages[page], 50)}, p99 {percentile(pages[page], 99)} ms; {said}")
    return {
        **book,
        "page_p99_ms": {page: percentile(times, 99) for page, times in sorted(pages.items())},
        "page_p50_ms": {page: percentile(times, 50) for page, times in sorted(pages.items())},
        "calls": sum(map(len, pages.values())),
        "calls_per_s": round(sum(map(len, pages.values())) / took_s, 1),
        "cpu_s_per_s": {name: round(total / took_s, 3) for name, total in used.items()},
        "answers": found["answers"],
        "pages_not_reached": seen.not_reached,
        "load_average": round(waiting, 1),
        **seen.figures,
    }


async def _book(
    system: System, owner: asyncpg.Connection, options: argparse.Namespace, made: Path
) -> dict[str, Any]:
    """As it was made here before, or a new one."""
    if not made.exists():
        made.write_text(json.dumps(await make_book(system, owner, events=options.events, days=options.days)))
    return dict(json.loads(made.read_text()))


async def _users(url: str, seen: portal_browser.Seen, keys: list[str], seconds: float) -> dict[str, Any]:
    asked = {
        "keys": keys, "seconds": seconds, "calls": seen.calls, "open_s": portal_browser.OPEN_S, "team": portal_browser.TEAM,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.portal_users", url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0, "the users failed"
    return dict(json.loads(output))


def percentile(times: Sequence[float], part: int) -> float:
    """The smallest that `part` of a hundred do not pass."""
    ordered = sorted(times)
    return round(ordered[max(0, -(-len(ordered) * part // 100) - 1)], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--home", type=Path, help="a folder in which the book stays")
    options = parser.parse_args()
    print(__doc__)
    print(f"{os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        print(json.dumps(asyncio.run(main_of(options, options.home or Path(folder)))))


if __name__ == "__main__":
    main()
