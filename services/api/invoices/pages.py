"""A provider's file as a bill: its pages, one, several one after the other or in a list; or FOCUS. Pure."""

import json
from collections.abc import Iterator
from datetime import date

import msgspec

from services.api.invoices import anthropic_pages, openai_pages
from services.api.invoices.billed import BillError, InvoiceKind, InvoiceLine, ProviderBill, storable
from services.api.invoices.focus_rows import read_focus

PROVIDERS = ("openai", "anthropic")
"""Whose pages are read; of others, and of these, FOCUS."""
GROUPS_MAX = 100
"""Of a day, in Anthropic's reports: what lies beyond has no row."""
ROWS_MAX = 200_000
_openai = msgspec.json.Decoder(openai_pages.OpenAIPage, strict=False).decode
_anthropic = msgspec.json.Decoder(anthropic_pages.AnthropicPage, strict=False).decode


def read_bill(provider: str, content: bytes) -> ProviderBill:
    """What the file says. Raises BillError."""
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return read_focus(provider, content, ROWS_MAX)
    if provider not in PROVIDERS:
        raise BillError(f"is no CSV: bills of {provider} come in FOCUS")
    rows: list[InvoiceLine] = []
    days: set[tuple[date, InvoiceKind]] = set()
    notes: set[str] = set()
    kinds: set[InvoiceKind] = set()
    empty: list[date] = []
    has_more = False
    for page in _pages(content):
        try:
            for day, found, results in _buckets(provider, page):
                rows += found
                if len(rows) > ROWS_MAX:
                    raise BillError(f"has more than {ROWS_MAX:,} rows: import it month by month")
                kinds |= {row.kind for row in found}
                days |= {(day, row.kind) for row in found}
                if not found:
                    empty.append(day)
                if results >= GROUPS_MAX and provider == "anthropic":
                    notes.add(
                        f"{day} has {results} groups, as many as a report has at most: import the report "
                        "without groups too, which has the whole"
                    )
            has_more = _has_more(page)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BillError(f"is no page of {provider}'s: {error}") from None
    if has_more:
        notes.add("the last page says that there are more: days behind it are not in the file")
    if not kinds and not empty:
        raise BillError("has no days")
    days |= {(day, kind) for day in empty for kind in kinds or {"cost"}}
    return ProviderBill(
        provider=provider, rows=tuple(rows), days=tuple(sorted(days)), notes=tuple(sorted(notes))
    )


def _buckets(provider: str, page: bytes) -> Iterator[tuple[date, list[InvoiceLine], int]]:
    if provider == "openai":
        for bucket in _openai(page).data:
            yield bucket.day, list(map(storable, openai_pages.rows_of(bucket))), len(bucket.results)
    else:
        for one in _anthropic(page).data:
            yield one.day, list(map(storable, anthropic_pages.rows_of(one))), len(one.results)


def _has_more(page: bytes) -> bool:
    return bool(msgspec.json.decode(page, type=_More).has_more)


class _More(msgspec.Struct):
    has_more: bool | None = None


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
    decoder, place = json.JSONDecoder(parse_float=str, parse_int=str), 0
    while place < len(text):
        try:
            _, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            raise BillError("is no JSON: export the answers as the provider gives them") from None
        yield text[place:end].encode()
        place = end
        while place < len(text) and text[place] in " \r\n\t,":
            place += 1
