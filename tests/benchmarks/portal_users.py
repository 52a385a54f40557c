"""Users of the portal without a browser: each opens a page, makes its calls when the page does, and goes on to another.

    python -m tests.benchmarks.portal_users URL < QUESTIONS

QUESTIONS is a JSON object: `keys` of the users, `seconds`, and `calls` of each page as tests.benchmarks.portal_browser saw
them. What was asked of one team every user asks of their own. Prints one JSON object: by page and path, how many ms
each answer took from when it was asked for to its last byte; and how many had which status ("none": none within
a minute): what was refused has no time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from random import Random
from typing import Any

import aiohttp
import uvloop
from yarl import URL

ANSWER_S_MAX = 60
Calls = list[tuple[float, str]]


class Users:
    """What all of them found."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._looks: list[tuple[str, Calls]] = [
            (page, look) for page, looks in asked["calls"].items() for look in looks
        ]
        self._asked = asked
        self.took: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.answers: Counter[str] = Counter()

    async def all(self, url: str) -> None:
        until_s = time.monotonic() + self._asked["seconds"]
        await asyncio.gather(
            *(self._user(url, number, until_s) for number in range(len(self._asked["keys"])))
        )

    async def _user(self, url: str, number: int, until_s: float) -> None:
        chosen, open_s = Random(f"user {number}"), self._asked["open_s"]
        headers = {"Authorization": f"Bearer {self._asked['keys'][number]}", "Accept-Encoding": "gzip"}
        bound = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
        async with aiohttp.ClientSession(url, headers=headers, timeout=bound, auto_decompress=False) as http:
            await asyncio.sleep(chosen.uniform(0, open_s))
            while time.monotonic() < until_s:
                page, look = chosen.choice(self._looks)
                closes_s = time.monotonic() + open_s
                await asyncio.gather(*(self._call(http, page, after, path, number) for after, path in look))
                await asyncio.sleep(max(0.0, closes_s - time.monotonic()))

    async def _call(
        self, http: aiohttp.ClientSession, page: str, after_s: float, path: str, number: int
    ) -> None:
        await asyncio.sleep(after_s)
        began_s = time.monotonic()
        try:
            own = own_path(path, self._asked["team"], number)
            async with http.get(URL(own, encoded=True)) as answer:
                await answer.read()
                status = str(answer.status)
        except TimeoutError:
            status = "none"
        self.answers[status] += 1
        if status == "200":
            self.took[page][path.partition("?")[0]].append(round((time.monotonic() - began_s) * 1e3, 2))


def own_path(path: str, team: str, number: int) -> str:
    """What was asked of `team`, asked of the one that this user belongs to."""
    return path.replace(team, f"team-{number * 3:03}")


async def main(url: str) -> None:
    users = Users(json.load(sys.stdin))
    await users.all(url)
    print(json.dumps({"took": users.took, "answers": users.answers}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
