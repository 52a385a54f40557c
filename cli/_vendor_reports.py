"""What providers say that they charged, from their own APIs, with an admin key of the user's: page by page
into files that `spendmeter invoice import` reads. A page is a line, its digits as they were answered: what
broke off goes on behind the last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

TIMEOUT_S = 60.0
ATTEMPTS_MAX = 6
WAIT_S_MIN, WAIT_S_MAX = 0.1, 60.0
PAGES_MAX = 1_000
PAGE_BYTES_MAX = 16 * 1024**2
SAID_CHARACTERS_MAX = 300
_RULES = {
    401: "{key} must be an admin key of the organisation",
    403: "the key of {key} may not read this report: it must be an admin key",
    429: f"it was asked too often, {ATTEMPTS_MAX} times in turn: run it again later, it goes on where it is",
}


class NoReport(Exception):
    """A report that is not to be had; the text names the status and the rule."""


class _Away(Exception):
    """What another attempt may mend."""

    def __init__(self, said: str, wait_s: float | None = None) -> None:
        super().__init__(said)
        self.wait_s = wait_s


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool | None = None
    next_page: str | None = None


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """Where its reports are, and what is asked of each: name to path and query."""

    url: str
    key: str
    """The variable of the environment that has it."""
    headers: Callable[[str], dict[str, str]]
    span: Callable[[date, date], dict[str, Any]]
    reports: Mapping[str, tuple[str, dict[str, Any]]]


def _unix(first: date, until: date) -> dict[str, Any]:
    midnights = (datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in (first, until))
    start, end = (int(at.timestamp()) for at in midnights)
    return {"start_time": start, "end_time": end}


VENDORS: Mapping[str, Vendor] = {
    "openai": Vendor(
        url="https://api.openai.com",
        key="OPENAI_ADMIN_KEY",
        headers=lambda key: {"Authorization": f"Bearer {key}"},
        span=_unix,
        reports={
            "costs": ("/v1/organization/costs", {"group_by": "line_item", "limit": 180}),
            "totals": ("/v1/organization/costs", {"limit": 180}),
            "usage": (
                "/v1/organization/usage/completions",
                {"group_by": ["model", "service_tier", "batch"], "limit": 31},
            ),
        },
    ),
    "anthropic": Vendor(
        url="https://api.anthropic.com",
        key="ANTHROPIC_ADMIN_API_KEY",
        headers=lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
        span=lambda first, until: {
            "starting_at": f"{first}T00:00:00Z",
            "ending_at": f"{until}T00:00:00Z",
        },
        reports={
            "costs": ("/v1/organizations/cost_report", {"group_by[]": "description", "limit": 31}),
            "totals": ("/v1/organizations/cost_report", {"limit": 31}),
            "usage": (
                "/v1/organizations/usage_report/messages",
                {"group_by[]": ["model", "service_tier", "context_window", "inference_geo"], "limit": 31},
            ),
        },
    ),
}


def fetched(
    provider: str, days: tuple[date, date], folder: Path, *, url: str = ""
) -> Iterator[tuple[Path, int]]:
    """Each report's file, once it is whole, and how many pages were asked for: none where it was whole
    before. Raises NoReport, and OSError of the folder's."""
    vendor = VENDORS[provider]
    key = os.environ.get(vendor.key, "")
    if not key:
        raise NoReport(f"{vendor.key} is not set: reports are read with an admin key of the organisation")
    with httpx.Client(headers=vendor.headers(key), timeout=TIMEOUT_S) as client:
        for name, (path, query) in vendor.reports.items():
            file = folder / f"{provider}-{name}-{days[0]}-{days[1] - timedelta(days=1)}.json"
            asked = 0
            if not file.exists():
                address = f"{(url or vendor.url).rstrip('/')}{path}"
                asked = _fetch(client, address, query | vendor.span(*days), file, vendor.key)
            yield file, asked


def _fetch(client: httpx.Client, url: str, query: Mapping[str, Any], file: Path, key: str) -> int:
    part = file.with_suffix(".part")
    asked = 0
    with part.open("a+b") as pages:
        count, last = _there(pages)
        while last is None or last.has_more:
            if count >= PAGES_MAX:
                raise NoReport(f"{url} has more than {PAGES_MAX:,} pages: ask for fewer days")
            cursor = last.next_page if last else None
            content, last = _page(client, url, dict(query) | ({"page": cursor} if cursor else {}), key)
            if last.has_more and (not last.next_page or last.next_page == cursor):
                raise NoReport(f"{url} says that there are more pages, and not where the next one is")
            pages.write(msgspec.json.format(content, indent=-1) + b"\n")
            pages.flush()
            count, asked = count + 1, asked + 1
    part.rename(file)
    return asked


def _there(pages: Any) -> tuple[int, _Page | None]:
    """How many pages are whole already, and the last of them; what broke off within one is cut away."""
    pages.seek(0)
    whole, count, last = 0, 0, b""
    for line in pages:
        if not line.endswith(b"\n"):
            break
        whole, count, last = whole + len(line), count + 1, line
    pages.truncate(whole)
    return count, msgspec.json.decode(last, type=_Page) if last else None


def _page(client: httpx.Client, url: str, query: Mapping[str, Any], key: str) -> tuple[bytes, _Page]:
    """One as it was answered, and what it says; asked for again while the provider is away or busy."""
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])  # a terminal is no place for its log lines
    try:
        for attempt in stamina.retry_context(
            on=_wait, attempts=ATTEMPTS_MAX, timeout=None, wait_max=WAIT_S_MAX
        ):
            with attempt:
                return _once(client, url, query, key)
    except _Away as away:
        raise NoReport(str(away)) from None
    raise AssertionError("the last attempt raises")


def _wait(error: Exception) -> bool | float:
    """Whether another attempt may do; as long as the provider asks for."""
    if not isinstance(error, _Away):
        return False
    return True if error.wait_s is None else min(max(error.wait_s, WAIT_S_MIN), WAIT_S_MAX)


def _once(client: httpx.Client, url: str, query: Mapping[str, Any], key: str) -> tuple[bytes, _Page]:
    try:
        with client.stream("GET", url, params=query) as answer:
            content = bytearray()
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > PAGE_BYTES_MAX:
                    raise NoReport(f"{url} answered a page of more than {PAGE_BYTES_MAX:,} bytes")
    except httpx.TransportError as error:
        raise _Away(f"{url} does not answer: {error or type(error).__name__}") from None
    if answer.status_code == 200:
        try:
            return bytes(content), msgspec.json.decode(content, type=_Page)
        except msgspec.MsgspecError as error:
            raise _Away(f"{url} answered 200, and no page: {error}") from None
    said = " ".join(bytes(content).decode(errors="replace").split())[:SAID_CHARACTERS_MAX]
    rule = _RULES.get(answer.status_code, "").format(key=key)
    text = f"{url} answered {answer.status_code}: {'. It says: '.join(filter(None, (rule, said)))}"
    if answer.status_code == 429 or answer.is_server_error:
        asked = answer.headers.get("retry-after", "")
        raise _Away(text, float(asked) if asked.isascii() and asked.isdigit() else None)
    raise NoReport(text)
