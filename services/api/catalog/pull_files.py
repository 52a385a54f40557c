"""The files of a pull: fetched where they have changed, each read in a process of its own, within bounds."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec
from pydantic import BaseModel, Field

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.platform.bounded_process import BoundError, ProcessBounds, run_module
from spendmeter.platform.fetch import Fetched, FetchError, FileFetcher
from spendmeter.platform.settings import Settings
from spendmeter.pricing.catalog.apart import decode_read
from spendmeter.pricing.catalog.formats import FILE_BYTES_MAX

PRIVATE_SETTING = "SPENDMETER_CATALOG_PULL_ALLOW_PRIVATE"
FETCH_S_MAX = 20.0
READ_BOUNDS = ProcessBounds(seconds_max=30.0, memory_bytes_max=2 * 1024**3, output_bytes_max=64 * 1024**2)
"""LiteLLM's list of today, 3.5 MB, takes a second and some 150 MB; what is said of it is 7 MB."""
READER = "spendmeter.pricing.catalog.apart"

FileState = Literal["read", "unchanged", "refused", "away"]


class PulledFile(BaseModel):
    """One source's file: what came of it, or why nothing did."""

    source: str
    url: str
    state: FileState
    says: str = Field("", description="why it was refused, or could not be had")
    sha256: str = ""
    bytes: int = 0
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """What was read of one source; without entries where nothing was."""

    said: PulledFile
    content: bytes = b""
    entries: Sequence[CatalogEntry] = ()
    not_taken: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class PullFiles:
    """Fetches and reads the sources of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._sources = settings.sources
        self._fetcher = FileFetcher(
            bytes_max=FILE_BYTES_MAX,
            seconds_max=FETCH_S_MAX,
            allow_private=settings.catalog_pull_allow_private,
            unless=f"{PRIVATE_SETTING}=true, set for api, allows it",
        )

    async def get(self, known: Mapping[str, PulledFile], now: datetime) -> list[SourceFile]:
        """Every source's file, where any has changed since those that are `known`; else what each says of
        itself. A list is only worth something beside the others, so all are read or none is."""
        fetched = await asyncio.gather(*(self._fetch(name, known.get(name)) for name in self._sources))
        if not any(each.said.state == "read" for each in fetched):
            return fetched
        read = []
        for file in fetched:  # one after the other: each may take as much memory as READ_BOUNDS say
            unread = file.said.state == "unchanged"
            whole = await self._fetch(file.said.source, None) if unread else file
            read.append(await self._read(whole, now))
        return read

    async def _fetch(self, source: str, known: PulledFile | None) -> SourceFile:
        url = self._sources[source]
        same = known if known is not None and known.url == url else None
        try:
            fetched = await self._fetcher.fetch(
                url, etag=same.etag if same else "", last_modified=same.last_modified if same else ""
            )
        except FetchError as error:
            state: FileState = "away" if error.away else "refused"
            return SourceFile(said=PulledFile(source=source, url=url, state=state, says=str(error)))
        if same and (fetched.content is None or fetched.sha256 == same.sha256):
            return SourceFile(said=same.model_copy(update={"state": "unchanged", "says": ""}))
        return _new(source, url, fetched)

    async def _read(self, file: SourceFile, now: datetime) -> SourceFile:
        """All of a file, or why none of it."""
        if file.said.state != "read":
            return file
        name = f"{file.said.source}.json"
        try:
            raw = await run_module(READER, name, now.isoformat(), stdin=file.content, bounds=READ_BOUNDS)
            read = await asyncio.to_thread(decode_read, raw)
        except (BoundError, msgspec.DecodeError) as error:
            return _refused(file, str(error))
        if read.refused:
            return _refused(file, read.refused)
        return SourceFile(
            said=file.said, content=file.content, entries=read.entries, not_taken=read.not_taken
        )


def _new(source: str, url: str, fetched: Fetched) -> SourceFile:
    content = fetched.content or b""
    said = PulledFile(
        source=source,
        url=url,
        state="read",
        sha256=fetched.sha256,
        bytes=len(content),
        etag=fetched.etag,
        last_modified=fetched.last_modified,
    )
    return SourceFile(said=said, content=content)


def _refused(file: SourceFile, why: str) -> SourceFile:
    """Its hash is kept, and its validators are not: it is asked for whole the next time."""
    said = file.said.model_copy(update={"state": "refused", "says": why, "etag": "", "last_modified": ""})
    return SourceFile(said=said)
