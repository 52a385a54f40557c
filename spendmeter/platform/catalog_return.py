"""Brings publications back that the `catalog` topic has and the database, restored from a backup, lacks.

A version is a number that entries, lines and jobs name for ever. It is brought back as it was, or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spendmeter.contracts.catalog import Publication, TenantTerms
from spendmeter.platform.catalog_store import SQL
from spendmeter.platform.catalog_topic import OnTopic, UnknownEntry
from spendmeter.platform.telemetry import log

UNSAID = "brought back from the catalog topic, which does not say why it was recorded"


class Parted(Exception):
    """Topic and database say different things under one version, or part of a publication is nowhere: nothing
    may be published."""


@dataclass(frozen=True, kw_only=True)
class LostPublication:
    """One that the database lacks, as it was recorded."""

    version: int
    bodies: Sequence[str]
    by: str
    note: str
    at: datetime


async def bring_back(connection: Any, topic: OnTopic) -> str:
    """Record what the database lacks of the topic, in one transaction that no recorder comes between. Returns
    why the two are parted all the same: of a last publication only a part was sent; mostly ''. Raises Parted
    where that is so from the first."""
    async with connection.transaction():
        await connection.fetchval(SQL["next_version"])
        recorded = {row["id"]: row["version"] for row in await connection.fetch(SQL["recorded"])}
        lost, partly = lost_publications(topic.unknown.values(), topic.marker, recorded)
        for each in lost:
            said = each.version, each.bodies, each.by, each.note, each.at
            await connection.execute(SQL["bring_back"], *said)
    for each in lost:
        log().warning(
            "a publication was brought back from the catalog topic: the database lacked it",
            version=each.version,
            entries=len(each.bodies),
            by=each.by,
            note=each.note,
        )
    return partly


def lost_publications(
    unknown: Iterable[UnknownEntry], marker: Publication | None, recorded: Mapping[str, int]
) -> tuple[list[LostPublication], str]:
    """The publications that the topic has beyond those of the database, in order, and why it ends there: ''
    or what is wrong with the next one. `recorded`: the versions of the database's entries, by id. Pure.
    Raises Parted, also where one of those that were in force is not whole."""
    newest, count = max(recorded.values(), default=0), len(recorded)
    by_version, published = _beyond(unknown, recorded, newest), marker.version if marker else 0
    lost: list[LostPublication] = []
    for version in range(newest + 1, max([*by_version, published]) + 1):
        entries = by_version[version]
        count += len(entries)
        if (total := _total(version, entries, marker, count)) != count:
            partly = _partly(version, newest, count, total)
            if version <= published:
                raise Parted(partly)
            return lost, partly
        lost.append(_lost(version, entries, marker))
    return lost, ""


def _beyond(
    unknown: Iterable[UnknownEntry], recorded: Mapping[str, int], newest: int
) -> defaultdict[int, list[UnknownEntry]]:
    by_version: defaultdict[int, list[UnknownEntry]] = defaultdict(list)
    for each in unknown:
        entry = each.entry
        if recorded.get(entry.id) == entry.version:
            continue  # recorded while the topic was read
        if entry.version <= newest or entry.id in recorded:
            known = f"under version {recorded[entry.id]}" if entry.id in recorded else "not at all"
            raise Parted(
                f"the catalog topic has entry {entry.id} under version {entry.version}, and the database, "
                f"which is at version {newest}, has it {known}: a version was given away twice"
            )
        by_version[entry.version].append(each)
    return by_version


def _total(
    version: int, entries: Sequence[UnknownEntry], marker: Publication | None, count: int
) -> int | None:
    """How many entries there are up to a version, by its marker or by what came with its entries; None =
    nobody says. Of one below the last marker, by a release that did not say, there is what there is: its
    number is in the marker's."""
    if marker is not None and marker.version == version:
        return marker.entries
    said = next((each.said.entries for each in entries if each.said is not None), None)
    if said is None and entries and marker is not None and version < marker.version:
        return count
    return said


def _partly(version: int, newest: int, count: int, total: int | None) -> str:
    return (
        f"the database is at version {newest}, and of version {version} the catalog topic has only a part: "
        f"with it there are {count} entries, of {'an unknown number' if total is None else total}"
    )


def _lost(version: int, entries: Sequence[UnknownEntry], marker: Publication | None) -> LostPublication:
    said = next((each.said for each in entries if each.said is not None), None)
    bodies = [each.body for each in entries]
    if said is not None:
        return LostPublication(version=version, bodies=bodies, by=said.by, note=said.note, at=said.at)
    at = max(each.entry.recorded_at for each in entries)
    if marker is not None and marker.version == version:
        at = marker.published_at
    return LostPublication(version=version, bodies=bodies, by=_recorder(entries), note=UNSAID, at=at)


def _recorder(entries: Sequence[UnknownEntry]) -> str:
    """Who recorded a publication that does not say so: who is named in an entry; nobody is in those that come
    with a release, or with the first tenants (deploy/release.py, deploy/demo/tenants.py)."""
    named = next((each.entry.by for each in entries if each.entry.by), "")
    return named or ("setup" if all(isinstance(each.entry, TenantTerms) for each in entries) else "migrate")
