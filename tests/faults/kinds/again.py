"""Every topic that the book is made of comes again from its beginning."""

from __future__ import annotations

from tests.faults.trial import Scene
from tests.flow.replay import held, replay


async def from_the_beginning(scene: Scene) -> str:
    """The book is the same to the last row of every table. It stands still meanwhile: nothing is sent."""
    before = await held(scene.system, of_now=True)
    records = await replay(scene.system)
    after = await held(scene.system, of_now=True)
    changed = [table for table in before if after[table] != before[table]]
    assert not changed, f"changed: {', '.join(changed)}"
    again = ", ".join(f"{count:,} of {topic}" for topic, count in records.items())
    return f"again: {again}; {len(before)} tables are the same"
