"""What a process remembers of pseudonyms, when somebody is forgotten just then. Pure."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from services.ingest.pseudonyms import KeyedUser, Pseudonyms
from spendmeter.contracts.events import Labels

WHO: KeyedUser = ("acme", date(2026, 11, 1), b"m" * 32)


class Rows:
    """The table, which answers when it is let."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def execute(self, statement: str, *values: Any) -> None:
        """Nobody is new."""

    async def fetch(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        self.asked.set()
        await self.answers.wait()
        return [{"keyed_user": WHO[2], "pseudonym": "user:a"}]


async def asked_for(pseudonyms: Pseudonyms, rows: Rows, erasures_meanwhile: dict[str, int]) -> Labels:
    names, labels = pseudonyms.of_request({}), Labels(user="maria")
    names.replace(labels, WHO)
    settling = asyncio.create_task(pseudonyms.settle(names))
    await rows.asked.wait()
    pseudonyms.of_request(erasures_meanwhile)  # by another request, with a newer snapshot
    rows.answers.set()
    await settling
    return labels


async def test_who_is_forgotten_while_their_pseudonym_is_asked_for_is_not_remembered_by_it() -> None:
    """Else what they send would have it until the month is over, though it is nobody's."""
    pseudonyms, rows = Pseudonyms(""), Rows()
    pseudonyms._connection = rows
    assert (await asked_for(pseudonyms, rows, {"acme": 1})).user == "user:a"
    assert pseudonyms.of_request({"acme": 1}).known == {}


async def test_a_newer_snapshot_alone_has_nothing_asked_for_again() -> None:
    pseudonyms, rows = Pseudonyms(""), Rows()
    pseudonyms._connection = rows
    await asked_for(pseudonyms, rows, {})
    assert pseudonyms.of_request({}).known == {WHO: "user:a"}
