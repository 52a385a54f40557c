"""The sender's log: what was submitted, and what ingest answered.

One JSON object a line, plain or .gz: {"tenant", "source", "id", "provider", "sku", "usage", "outcome":
"accepted" | "refused" | "unknown", "labels", "time"}. Several lines may name one event.
"""

from __future__ import annotations

import gzip
from array import array
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from spendmeter.verify.report import Report
from spendmeter.verify.usage import Usage, decode, identity, metered_digest, quantity

COPIES_MAX = 255
"""Copies of one event that are told apart; beyond that they count as this many."""


class Submissions:
    """Every event of the logs by identity, and how many copies lie on the topic. About 200 bytes each."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self._index: dict[bytes, int] = {}
        self._accepted, self._unknown, self._seen = array("B"), array("B"), array("B")
        self._said: list[bytes] = []
        self._variants: dict[bytes, set[bytes]] = {}
        """What differing submissions of one identity said."""
        for line in self._lines():
            self._add(line)

    def _lines(self) -> Iterator[dict[str, Any]]:
        for file in self.files:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as log:
                yield from map(decode, log)

    def _add(self, line: dict[str, Any]) -> None:
        key = identity(line["tenant"], line["source"], line["id"])
        usage = {unit: quantity(value) for unit, value in line["usage"].items()}
        said = metered_digest(line["provider"], line["sku"], usage, line.get("labels") or {})
        at = self._index.setdefault(key, len(self._said))
        if at == len(self._said):
            self._said.append(said)
            for column in (self._accepted, self._unknown, self._seen):
                column.append(0)
        elif said != self._said[at]:
            self._variants.setdefault(key, {self._said[at]}).add(said)
        match line["outcome"]:
            case "accepted":
                self._accepted[at] = min(COPIES_MAX, self._accepted[at] + 1)
            case "unknown":
                self._unknown[at] = min(COPIES_MAX, self._unknown[at] + 1)
            case "refused":
                pass
            case other:
                raise ValueError(f"{line['source']}/{line['id']}: outcome {other!r} is not one of three")

    def __len__(self) -> int:
        return len(self._said)

    def saw(self, key: bytes, event: Usage, where: str, report: Report) -> None:
        """Take note of a copy on the topic, and compare it with what was submitted."""
        at = self._index.get(key)
        if at is None:
            report.pass_over("I1", "events on the topic that no log names")
            return
        self._seen[at] = min(COPIES_MAX, self._seen[at] + 1)
        labels = event.body["data"].get("labels") or {}
        said = metered_digest(event.provider, event.sku, event.usage, labels)
        if said != self._said[at] and said not in self._variants.get(key, ()):
            report.find(
                "I1", "changed on the way: the topic says something else than the log", f"{event} at {where}"
            )

    def conclude(self, booked: Collection[bytes], past: Collection[bytes], report: Report) -> None:
        """Judge every submission once the whole topic was seen, but for the identities in `past`."""
        wrong: dict[bytes, tuple[str, str]] = {}
        extra = 0
        for key, at in self._index.items():
            accepted, unknown, seen = self._accepted[at], self._unknown[at], self._seen[at]
            invariant = "I1" if accepted else "I3" if unknown else "I2"
            report.check(invariant)
            if seen < accepted and key in past:
                report.pass_over(invariant, "submissions whose event the broker no longer has")
            elif seen < accepted:
                wrong[key] = (invariant, f"lost: {accepted} acknowledged, {seen} on the topic")
            elif invariant == "I2" and (seen or key in booked):
                wrong[key] = (invariant, f"refused, and yet {seen} on the topic")
            extra += max(0, seen - accepted - unknown)
        report.facts["copies_beyond_the_log"] = extra
        for line in self._lines() if wrong else ():
            named = wrong.pop(identity(line["tenant"], line["source"], line["id"]), None)
            if named is not None:
                report.find(*named, f"{line['tenant']} {line['source']}/{line['id']}")
