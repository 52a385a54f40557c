"""Reads a receipt: the entries of one event, what came in beside it, and the book of prices of then."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from fastapi import Request

from services.api.accounting.completeness import completeness
from services.api.database.transactions import TenantConnection
from services.api.events.difference import difference_by_cause
from services.api.events.models import (
    Copy,
    EntryCause,
    PricedEntry,
    Receipt,
    Received,
    Successor,
    Superseded,
)
from services.api.events.past_books import PastBooks
from services.api.events.receipt import (
    CatalogRecords,
    InTheBook,
    catalog_ids,
    describe_differences,
    expanded_lines,
    sum_of,
    summarize,
)
from services.api.events.remedies import became, with_links
from services.api.events.sums import comes_to, sums_of
from services.api.events.unbooked import SQL as UNBOOKED_SQL
from services.api.http.models import Complete
from services.api.http.problems import HttpRefusal
from spendmeter.book.entry import ENTRY_PARTS
from spendmeter.contracts import true_ups
from spendmeter.contracts.catalog import decode_catalog
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.event_reading import decode_event
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import plain
from spendmeter.contracts.rated import decode_lines
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.causes import EntryFacts
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.explain import naming
from spendmeter.pricing.price_book import PriceBook

COPIES_MAX = 50
SUCCESSORS_MAX = 20

SQL = load_sql(Path(__file__).with_name("events.sql"), ENTRY_PARTS)


async def read_receipt(
    request: Request, connection: TenantConnection, tenant: str, source: str, id: str
) -> Receipt:
    """What became of the event. Raises HttpRefusal: 404 where nothing is known of it, 409
    where it lies in an archived month."""
    key, occurred_at = await _place_of(connection, tenant, source, id)
    rows = [] if occurred_at is None else await connection.fetch(SQL["entries"], occurred_at, key)
    copies = [Copy(**row) for row in await connection.fetch(SQL["unbooked_copies"], key, COPIES_MAX)]
    known: dict[str, Any] = {"source": source, "id": id, "identity": key.hex(), "copies": copies}
    if not rows or rows[0]["seq"] > 0:  # its first entry is not there
        month = await connection.fetchval(SQL["archived_month"], key)
        if month is not None:
            raise _archived(month, source, id)
    if not rows and not copies:
        raise _not_in_the_book(await completeness(request, connection), source, id)
    others = [(copy.outcome, copy.reason, copy.recorded_at) for copy in copies if not copy.amended]
    rows_instead = await connection.fetch(UNBOOKED_SQL["booked_instead"], key, SUCCESSORS_MAX)
    known["superseded_by"] = instead = [Successor(**row) for row in rows_instead]
    if not rows:
        return Receipt(summary=with_links(summarize(None, others), None, instead), status="rejected", **known)
    return await _booked(connection, request.app.state.past_books, rows, others, known)


async def _place_of(
    connection: TenantConnection, tenant: str, source: str, id: str
) -> tuple[bytes, datetime | None]:
    """The key of what is asked for: its identity, and when it was booked as having happened. A true-up has
    one that follows from no source and id."""
    if source == true_ups.SOURCE and (named := true_ups.read_receipt_id(id)) is not None:
        row = await connection.fetchrow(SQL["true_up"], *named)
        if row is not None:
            return row["identity"], row["occurred_at"]
    key = identity(tenant, source, id)
    return key, await connection.fetchval(SQL["occurred_at"], key)


async def _booked(
    connection: TenantConnection, books: PastBooks, rows: list[Any], others: list[Any], known: dict[str, Any]
) -> Receipt:
    ids = catalog_ids([row["lines"] for row in rows])
    published = await connection.fetch(SQL["catalog_entries"], ids)
    bodies = {row["id"]: row["body"] for row in published}
    facts = {row["id"]: EntryFacts(row["version"], row["withdrawn"]) for row in published}
    catalog = {name: decode_catalog(body) for name, body in bodies.items()}
    entries = await _entries(connection, books, rows, catalog)
    for row, entry in zip(rows, entries, strict=True):
        if entry.sign > 0 and entry.cause and entry.cause.kind == "rerate":
            entry.difference = difference_by_cause(rows[row["seq"] - 2], row, facts)
    first, event = rows[0], decode_event(rows[0]["event"])
    booked = InTheBook(
        recorded_at=first["recorded_at"],
        was=comes_to(entries[:1]),
        now=comes_to(entries),
        entries=len(entries),
        status=entries[-1].status,
    )
    supersedes = await _superseded(connection, event)
    return Receipt(
        summary=with_links(summarize(booked, others), supersedes, known["superseded_by"]),
        status="booked",
        time=first["occurred_at"],
        received=Received(
            at=event.receivedat or None,
            key_id=event.keyid,
            partition=first["partition"],
            offset=first["offset"],
        ),
        dimensions=rows[-1]["series"],
        event=msgspec.to_builtins(event),
        sums=sums_of(entries),
        entries=entries,
        catalog={name: msgspec.json.decode(body) for name, body in bodies.items()},
        supersedes=supersedes,
        **known,
    )


async def _superseded(connection: TenantConnection, event: UsageEvent) -> Superseded | None:
    """What the submission that the event names had become; None = it names none."""
    named, source = event.supersedes, event.supersedessource or event.source
    if not (named and isinstance(named, str) and isinstance(source, str)):
        return None  # or what an old event has there, of which nobody knew anything
    row = await connection.fetchrow(UNBOOKED_SQL["became"], identity(event.tenant, source, named))
    return became(source, named, row["seq"], row["outcome"])


async def _entries(
    connection: TenantConnection, books: PastBooks, rows: list[Any], catalog: CatalogRecords
) -> list[PricedEntry]:
    """Each with its lines as its own version of the catalog decided them."""
    entries = []
    for row in rows:
        event = decode_event(row["event"])
        book = await books.of(connection, event, row["catalog_version"])
        entries.append(_priced(row, event, catalog, book, in_force=row is rows[-1]))
    return entries


def _priced(
    row: Any, event: UsageEvent, catalog: CatalogRecords, book: PriceBook | CatalogError, *, in_force: bool
) -> PricedEntry:
    told: dict[str, Any] = {**row, "event": None, "cause": _cause(row)}
    if row["seq"] % 2:
        amount = f"{plain(row['effective'])} {row['currency']}"
        arithmetic = f"minus the entry of seq {row['seq'] - 1} = {amount}"
        return PricedEntry(**told | {"lines": []}, in_force=False, arithmetic=arithmetic)
    if row["seq"] == true_ups.SEQ:
        arithmetic = "; ".join(line.reason for line in decode_lines(row["lines"]))
        return PricedEntry(**told | {"lines": []}, in_force=in_force, arithmetic=arithmetic)
    if row["seq"] and row["states_event"]:
        told["event"] = msgspec.to_builtins(event)
    read = None if isinstance(book, CatalogError) else book
    lines = expanded_lines(row["lines"], event, row["currency"], catalog, read)
    return PricedEntry(
        **told | {"lines": lines},
        in_force=in_force,
        arithmetic=sum_of(lines, row["effective"], row["currency"]),
        remark=describe_differences(lines) if read else f"the catalog of then cannot be read now: {book}",
        naming=list(naming(event.tenant, event.data, read, row["occurred_at"])) if read else [],
    )


def _cause(row: Any) -> EntryCause | None:
    if not row["cause_kind"]:
        return None
    return EntryCause(
        kind=row["cause_kind"],
        id=row["correction_id"],
        reason=row["cause_reason"],
        author=row["cause_author"],
        requested_at=row["cause_at"],
    )


def _archived(month: date, source: str, id: str) -> HttpRefusal:
    return HttpRefusal(
        409,
        "Archived",
        f"the event of source {source!r} with id {id!r} was booked in {month:%Y-%m}, which is archived: "
        "totals have it, and its receipt is there again once the operator attaches that month "
        f"(spendmeter archive attach {month:%Y-%m})",
    )


def _not_in_the_book(complete: Complete, source: str, id: str) -> HttpRefusal:
    at = complete.complete_through
    through = at and f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return HttpRefusal(
        404,
        "Not in the book",
        f"no event of source {source!r} with id {id!r} is in the book, which is complete through "
        f"{through or 'an unknown time'}; accepted later, it may still be on its way",
        complete_through=through,
        in_flight=complete.in_flight,
        in_flight_age_s=complete.in_flight_age_s,
    )
