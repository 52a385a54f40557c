"""Stands in for the broker and the corrector: keeps what is asked for and, where told to, says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from services.api.corrections.publish import unacknowledged
from spendmeter.contracts.corrections import CorrectionRequest, EventCorrection
from tests.api.book import Book

Settle = Callable[[CorrectionRequest], Awaitable[None]]


class FakeCorrector:
    """In the place of the log of `app.state.corrector`. `settle` does what a request asks for, as rows of the book."""

    def __init__(self, api: FastAPI) -> None:
        self.asked: list[Any] = []
        self.settle: Settle | None = None
        self.away = False
        api.state.corrector.log = self

    async def publish(self, request: CorrectionRequest) -> None:
        if self.away:
            raise unacknowledged(request.id)
        self.asked.append(request)
        if self.settle is not None:
            await self.settle(request)

    async def aclose(self) -> None:
        """Nothing to let go of."""


async def note(
    book: Book, wanted: EventCorrection, state: str, *, why: str = "", seqs: tuple[int, ...] = ()
) -> None:
    """A correction as the corrector writes it down."""
    patch = None if wanted.kind == "retract" else bytes(wanted.patch).decode()  # type: ignore[arg-type]
    await book.connection.execute(
        "INSERT INTO corrections (correction_id, tenant, identity, source, event_id, kind, revision, patch, reason, "
        "author, requested_at, state, why, seqs, applied_at, log_ends) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now(), $15)",
        wanted.id, wanted.tenant, wanted.identity, wanted.source, wanted.event_id, wanted.kind, wanted.revision,
        patch, wanted.reason, wanted.by, wanted.at, state, why, list(seqs), [0] if state == "waiting" else None,
    )  # fmt: skip
