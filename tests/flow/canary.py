"""A text that nobody else would write, in every place of a request; and where it is found afterwards.

A place is named by what it is of: `own-prompt`. What is found of one says which it was.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from spendmeter.platform.kafka_access import KafkaAccess

STEM = re.compile(rb"cny[0-9a-f]{12}-[a-z0-9-]+")


class Canary:
    """`at(place)` is the text of a place; `kept` are the places of which it may be kept."""

    def __init__(self) -> None:
        self.stem = f"cny{uuid4().hex[:12]}"
        self.places: set[str] = set()
        self.kept: set[str] = set()
        self.user = self.at("user").capitalize()
        """A person: as most entrances name them, whom coding agents write in small letters."""

    def at(self, place: str) -> str:
        self.places.add(place)
        return f"{self.stem}-{place}"

    def may(self, place: str) -> str:
        """Where the allow-list takes it: an id, a source, a label."""
        self.kept.add(place)
        return self.at(place)

    def found(self, raw: bytes) -> set[str]:
        """The places whose text is in it, also in hex."""
        raw = raw.lower()
        seen = {each.decode() for each in STEM.findall(raw)}
        if self.stem.encode().hex().encode() in raw:
            seen |= {f"{self.stem}-in-hex"}
        return {each.removeprefix(f"{self.stem}-") for each in seen if each.startswith(self.stem)}


async def in_topics(canary: Canary, kafka: KafkaAccess) -> dict[str, set[str]]:
    """Places by topic: of each record its value, its key and its headers."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    admin = AIOKafkaAdminClient(**kafka.options())
    await admin.start()
    topics = await admin.describe_topics()
    await admin.close()
    async with AIOKafkaConsumer(**kafka.options(), auto_offset_reset="earliest") as consumer:
        for topic in (each["topic"] for each in topics):
            numbers = next(each["partitions"] for each in topics if each["topic"] == topic)
            parts = [TopicPartition(topic, each["partition"]) for each in numbers]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            ends = await consumer.end_offsets(parts)
            while any([await consumer.position(part) < ends[part] for part in parts]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for each in records:
                        headers = b" ".join(value for _, value in each.headers)
                        found[topic] |= canary.found(b" ".join((each.key or b"", each.value or b"", headers)))
    return {topic: places for topic, places in found.items() if places}


async def in_tables(canary: Canary, owner: asyncpg.Connection) -> dict[str, set[str]]:
    """Places by table: every column of every row, as text."""
    tables = await owner.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    )
    found = {}
    for table in tables:
        rows = await owner.fetch(
            f"SELECT t::text AS row FROM {table['name']} t WHERE strpos(lower(t::text), $1) > 0 OR strpos(t::text, $2) > 0",
            canary.stem, canary.stem.encode().hex(),
        )  # fmt: skip
        if rows:
            found[table["name"]] = set().union(*(canary.found(row["row"].encode()) for row in rows))
    assert len(tables) > 20
    return found


def in_files(canary: Canary, folder: Path) -> dict[str, set[str]]:
    """Places by file below a folder."""
    read = {
        str(path.relative_to(folder)): canary.found(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert read
    return {name: places for name, places in read.items() if places}
