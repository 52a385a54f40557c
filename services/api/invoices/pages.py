"""A provider's file as a bill: its pages, one, several one after the other or in a list; or a table. Pure
but for reading its file."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from hashlib import blake2b
from typing import IO, Any

import msgspec

from services.api.invoices import anthropic_pages, openai_pages
from services.api.invoices.adding import AddedLines
from services.api.invoices.billed import (
    UNKNOWN,
    BillError,
    InvoiceKind,
    InvoiceLine,
    ProviderBill,
    storable,
)
from services.api.invoices.table_bills import read_tables

PROVIDERS = ("openai", "anthropic")
"""Whose pages are read; of others, and of these, FOCUS."""
GROUPS_MAX = 100
"""Of a day, in Anthropic's reports: what lies beyond has no row."""
ROWS_MAX = 200_000
PAGES_BYTES_MAX = 32 * 1024**2
HEAD_BYTES = 1024
UNATTRIBUTED = "(unattributed)"
"""What a report by model says of no model, such as code execution."""
_openai = msgspec.json.Decoder(openai_pages.OpenAIBucket, strict=False).decode
_anthropic = msgspec.json.Decoder(anthropic_pages.AnthropicBucket, strict=False).decode


def read_bill(provider: str, file: IO[bytes]) -> ProviderBill:
    """What the file says; it can be read from its beginning again. Raises BillError."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return read_tables(provider, file)
    if provider not in PROVIDERS:
        raise BillError(f"is no table: bills of {provider} come in FOCUS, as CSV or Parquet")
    content = file.read(PAGES_BYTES_MAX + 1)
    if len(content) > PAGES_BYTES_MAX:
        raise BillError(f"has pages of more than {PAGES_BYTES_MAX:,} bytes: import them month by month")
    bill = _PagedBill(provider)
    for page in _pages(content):
        try:
            bill.add(page)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BillError(f"is no page of {provider}'s: {error}") from None
    return bill.whole()


_Told = int
"""Of what a result is, as a hash: its bucket's beginning, and whatever it is told apart by."""
_FIGURES = frozenset({"amount", "list_amount", "value"})
"""What is no name, though it may be written as a text."""


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool | None = None


class _PagedBill:
    """Pages put together: a bucket that is on two of them counts once."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._rows: list[InvoiceLine] = []
        self._days: set[tuple[date, InvoiceKind]] = set()
        self._empty: set[date] = set()
        self._notes: set[str] = set()
        self._full: set[date] = set()
        self._seen: set[bytes] = set()
        self._told: set[_Told] = set()
        self._has_more = False

    def add(self, page: bytes) -> None:
        """Raises BillError and MsgspecError."""
        said = msgspec.json.decode(page, type=_Page)
        of_page: list[InvoiceLine] = []
        told: dict[_Told, date] = {}
        for raw in said.data:
            day, found, results = _bucket(self._provider, raw)
            as_said = msgspec.json.format(bytes(raw), indent=-1)  # a page may be kept with other blanks
            digest = blake2b(as_said, digest_size=16).digest()
            if found and digest in self._seen:
                self._notes.add("the same is in the file twice, on pages of the same days: it counts once")
                continue
            self._seen.add(digest)
            of_page += found
            if found:
                told |= dict.fromkeys(_told_in(as_said), day)
            else:
                self._empty.add(day)
            if results >= GROUPS_MAX and self._provider == "anthropic":
                self._full.add(day)
            if len(self._rows) + len(of_page) > ROWS_MAX:
                raise BillError(f"has more than {ROWS_MAX:,} rows: import it month by month")
        if any(row.kind == "cost" for row in of_page):  # told apart: what names nothing is a group as well
            of_page = [_unattributed(row) if row.kind == "total" else row for row in of_page]
        if of_page:
            self._take_once({hash((of_page[0].kind, each)): day for each, day in told.items()})
        self._rows += of_page
        self._days |= {(row.day, row.kind) for row in of_page}
        self._has_more = bool(said.has_more)

    def _take_once(self, told: Mapping[_Told, date]) -> None:
        """What a page tells no other one may tell as well, in other figures. Raises BillError."""
        if twice := self._told & told.keys():
            raise BillError(
                f"tells of {min(told[each] for each in twice)} twice, in other figures: a day that was asked "
                "for again is imported by itself, for then the newest counts"
            )
        self._told |= told.keys()

    def whole(self) -> ProviderBill:
        """Raises BillError."""
        if self._has_more:
            self._notes.add("the last page says that there are more: days behind it are not in the file")
        if self._full:
            self._notes.add(
                f"{len(self._full):,} days have {GROUPS_MAX} groups, as many as a report has at most, the "
                f"first is {min(self._full)}: import the report without groups too, which has the whole"
            )
        unknown = [row.model for row in self._rows if row.kind == "cost" and row.unit in ("", UNKNOWN)]
        if unknown and self._provider == "openai":  # of Anthropic's reports many are asked for without units
            self._notes.add(
                f"{len(unknown):,} lines are of no meter that is known here, the first is "
                f"{unknown[0][:80]!r}: compared by that name alone"
            )
        if not self._days and not self._empty:
            raise BillError("has no days")
        kinds: set[InvoiceKind] = {kind for _, kind in self._days} or {"cost"}
        days = self._days | {(day, kind) for day in self._empty for kind in kinds}
        added = AddedLines()
        for row in self._rows:
            added.add(row)
        return ProviderBill(
            provider=self._provider,
            rows=added.lines(),
            days=tuple(sorted(days)),
            notes=tuple(sorted(self._notes)),
        )


def _unattributed(row: InvoiceLine) -> InvoiceLine:
    return msgspec.structs.replace(row, kind="cost", model=UNATTRIBUTED)


def _bucket(provider: str, raw: msgspec.Raw) -> tuple[date, list[InvoiceLine], int]:
    if provider == "openai":
        of_day = _openai(raw)
        return of_day.day, list(map(storable, openai_pages.rows_of(of_day))), len(of_day.results)
    one = _anthropic(raw)
    return one.day, list(map(storable, anthropic_pages.rows_of(one))), len(one.results)


def _told_in(bucket: bytes) -> Iterator[_Told]:
    said = msgspec.json.decode(bucket)
    start = said.pop("start_time", None) or said.pop("starting_at", None)
    for result in said.get("results") or [said]:
        yield hash((start, *_names_in(result)))


def _names_in(said: Mapping[str, Any], of: str = "") -> Iterator[tuple[str, object]]:
    for name, value in sorted(said.items()):
        if isinstance(value, dict):
            yield from _names_in(value, f"{of}{name}.")
        elif isinstance(value, str | bool) and name not in _FIGURES:
            yield f"{of}{name}", value


def _pages(content: bytes) -> Iterator[bytes]:
    """Each page as it is written: its digits are nobody's float."""
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise BillError("is not UTF-8") from None
    if text.startswith("["):
        try:
            yield from (bytes(raw) for raw in msgspec.json.decode(text, type=list[msgspec.Raw]))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BillError(f"is no JSON: {error}") from None
        return
    decoder, place = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_nothing), 0
    while place < len(text):
        try:
            _, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            raise BillError("is no JSON: export the answers as the provider gives them") from None
        yield text[place:end].encode()
        place = end
        while place < len(text) and text[place] in " \r\n\t,":
            place += 1


def _nothing(_: object) -> None:
    """Of an object: where it ends is all that is asked."""
