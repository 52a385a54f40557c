"""Roots that were told: on `ledger.roots`, or in a file that somebody kept. Each is held against the book.

What was told cannot be taken back by who owns the database, so it tells of a chain that was made anew.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

from spendmeter.verify.chain import CHAIN, root
from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.topic import RECORDS_AT_ONCE, TopicReader

DAY, PUT_BACK = "spendmeter.chain.day.v1", "spendmeter.chain.put_back.v1"

_FIELDS = {
    DAY: {"tenant", "epoch", "day", "previous_day", "previous", "leaves", "sums", "link", "root"},
    PUT_BACK: {"epoch", "stands_through", "by", "reason"},
}


class ToldRoots:
    """Holds records against the book, some at once; `conclude` when there are no more from the topic."""

    def __init__(self, connection: Any, put_backs: Sequence[Mapping[str, Any]], report: Report) -> None:
        self._connection = connection
        self._put_backs = put_backs
        self._report = report
        self._days: set[int] = set()
        self._epochs: set[int] = set()

    async def judge(self, told: Sequence[Any], where: str) -> None:
        """`where`: "ledger.roots", or the file."""
        days = [said for said in told if said is not None and said["type"] == DAY]
        keys = [said["tenant"] for said in days], [date.fromisoformat(said["day"]) for said in days]
        rows = await self._connection.fetch(SQL["chain_roots"], *keys)
        known = {(row["tenant"], str(row["day"])): row for row in rows}
        for said in told:
            self._report.check(CHAIN)
            if said is None:
                self._report.find(CHAIN, "forged: it has what is no root", where)
            elif said["type"] == DAY:
                self._judge_day(said, known.get((said["tenant"], said["day"])), where)
            else:
                self._judge_put_back(said, where)

    async def conclude(self) -> None:
        """What the book says, and the topic does not."""
        async for row in self._connection.cursor(SQL["chain_days"], prefetch=RECORDS_AT_ONCE):
            if _mark(row["tenant"], str(row["day"])) not in self._days:
                named = f"day {row['day']} of {row['tenant']}"
                self._report.find(CHAIN, "missing: ledger.roots does not have its root", named)
        for each in self._put_backs:
            if each["epoch"] not in self._epochs:
                self._report.find(CHAIN, "missing: ledger.roots was not told of it", f"epoch {each['epoch']}")

    def _judge_day(self, said: Mapping[str, Any], row: Any, where: str) -> None:
        named = f"day {said['day']} of {said['tenant']}"
        if said["root"] != root(said):
            self._report.find(CHAIN, f"forged: {where} has a root that is not of what it says", named)
        elif row is not None and row["root"] == said["root"]:
            self._days.add(_mark(said["tenant"], said["day"]))
        elif self._is_lost(said):
            self._report.pass_over(CHAIN, f"roots on {where} of a book that was put back since")
        elif row is None:
            self._report.find(CHAIN, f"missing: {where} has a root of it, the book has none", named)
        else:
            what = f"changed: its root is {row['root'][:16]}..., {where} says {said['root'][:16]}..."
            self._report.find(CHAIN, what, named)

    def _judge_put_back(self, said: Mapping[str, Any], where: str) -> None:
        self._epochs.add(said["epoch"])
        row = next((each for each in self._put_backs if each["epoch"] == said["epoch"]), None)
        same = row is not None and (row["by"], row["reason"], _text(row["stands_through"])) == (
            said["by"], said["reason"], said["stands_through"],
        )  # fmt: skip
        if not same and not any(each["epoch"] > said["epoch"] for each in self._put_backs):
            what = f"{where} says that the book was put back then, the book does not"
            self._report.find(CHAIN, what, f"epoch {said['epoch']}")

    def _is_lost(self, said: Mapping[str, Any]) -> bool:
        return any(
            each["epoch"] > said["epoch"]
            and (each["stands_through"] is None or said["day"] > str(each["stands_through"]))
            for each in self._put_backs
        )


async def check_told(
    connection: Any, topic: TopicReader | None, files: Sequence[Path], report: Report
) -> None:
    """`topic` None = the broker has none."""
    put_backs = await connection.fetch(SQL["chain_put_backs"])
    report.facts["put_backs"] = [
        {"epoch": row["epoch"], "began_at": str(row["began_at"]), "by": row["by"], "reason": row["reason"]}
        for row in put_backs
    ]
    if topic is not None:
        told = ToldRoots(connection, put_backs, report)
        begins, ends = await topic.reach(1)
        await topic.enter(0, begins[0], ends[0])
        for end in range(begins[0] + RECORDS_AT_ONCE, ends[0] + RECORDS_AT_ONCE, RECORDS_AT_ONCE):
            records = await topic.take(min(end, ends[0]))
            await told.judge([_read(value) for _, value in records], "ledger.roots")
        await told.conclude()
    elif report.facts["closed_through"] is not None:
        report.pass_over(CHAIN, "chain of days: the broker has no topic ledger.roots")
    for file in files:
        lines = [_read(line) for line in file.read_bytes().splitlines() if line.strip()]
        await ToldRoots(connection, put_backs, report).judge(lines, str(file))


def _read(value: bytes | None) -> Any:
    """A record; None where it is none."""
    try:
        said = json.loads(value or b"")
        return said if _FIELDS[said["type"]] <= said.keys() else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _mark(tenant: str, day: str) -> int:
    """Eight bytes that stand for a tenant's day."""
    return int.from_bytes(blake2b(f"{tenant} {day}".encode(), digest_size=8).digest())
