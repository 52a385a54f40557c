"""Every entrance answers as /openapi.json says, whatever is sent."""

from __future__ import annotations

from pathlib import Path

from tests.described import held_against_its_description
from tests.ingest.harness import Ingest


async def test_every_entrance_answers_as_it_is_described(door: Ingest, tmp_path: Path) -> None:
    await held_against_its_description(door.url, door.keys["acme"], tmp_path)
