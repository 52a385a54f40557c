"""Which values of labels, and which models, a day has room for. Values that are too many are folded, a model
that is one too many is refused (docs/decisions/models-of-a-day.md).

Every one is a further series, whose rollups all tenants' lanes write. No request waits for Postgres: what
was admitted is noted in memory, written down in the background (admitted_writer.py), and read with the keys,
before a process answers anybody and every few seconds. Between two readings several processes may admit more
than the bound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from spendmeter.contracts.dimensions import (
    LABEL_VALUES_PER_DAY_MAX,
    MODELS_PER_DAY_MAX,
    VALUES_PER_DAY_MAX,
)
from spendmeter.contracts.events import FOLDABLE, EventError, Labels
from spendmeter.contracts.series import FOLDED
from spendmeter.platform.sql import load_sql

VALUES_MAX = 300_000
"""Of all tenants' dimensions, in memory (some 60 MB): beyond, a new value is folded."""
LABELS_MAX = 300_000
"""Of all tenants' labels that everybody has, likewise: beyond, a new value passes unnoted."""
MODELS_MAX = 200_000
"""Of all tenants, in memory (some 40 MB): beyond, a new model passes unnoted. They have a room of their own:
many models of some tenants fold no label of another."""
WRITTEN_AT_ONCE = 5_000
"""Rows. After Postgres was away more may wait than one time is enough for."""
MODEL = "model"
"""Stands where others have the name of a dimension; no dimension of a tenant's own can be called so."""
READ_AGAIN = 1_000
"""Rows before the last one that are read again: a row that was numbered earlier may be committed later."""

_read_foldable = attrgetter(*FOLDABLE)
SQL = load_sql(Path(__file__).with_name("admitted.sql"))

OwnDimension = tuple[str, str]
"""(tenant, dimension)."""


class AdmittedValues:
    """The values that the day has so far; one a process."""

    def __init__(self) -> None:
        self.day = date.min
        self.values: defaultdict[OwnDimension, set[str]] = defaultdict(set)
        self.values_count = self.models_count = self.labels_count = 0
        self._unwritten: list[tuple[str, date, str, str]] = []
        self._last = 0

    def of(self, now: datetime) -> ValueAdmission:
        """For one request that was received at `now`, in UTC."""
        self._begin(now.date())
        return ValueAdmission(self)

    async def read(self, connection: Any, now: datetime) -> None:
        """Learn what other processes, or this one before it was started, have admitted today."""
        self._begin(now.date())
        for row in await connection.fetch(SQL["admitted"], self.day, self._last - READ_AGAIN):
            self._add((row["tenant"], row["dimension"]), row["value"])
            self._last = max(self._last, row["number"])

    def admit(self, dimension: OwnDimension, values: Iterable[str]) -> None:
        """These came, and stay."""
        for value in values:
            if self._add(dimension, value):
                self._unwritten.append((dimension[0], self.day, dimension[1], value))

    def take_unwritten(self) -> list[tuple[str, date, str, str]]:
        """What is to be written down next; the caller gives back what was not."""
        taken, self._unwritten = self._unwritten[:WRITTEN_AT_ONCE], self._unwritten[WRITTEN_AT_ONCE:]
        return taken

    def give_back(self, taken: list[tuple[str, date, str, str]]) -> None:
        """It was not written; of a day that is over nothing need be."""
        self._unwritten = [row for row in taken if row[1] == self.day] + self._unwritten

    def _begin(self, day: date) -> None:
        if day != self.day:
            self.day, self._last = day, 0
            self.values_count = self.models_count = self.labels_count = 0
            self.values.clear()

    def _add(self, dimension: OwnDimension, value: str) -> bool:
        values = self.values[dimension]
        if value in values:
            return False
        values.add(value)
        if dimension[1] == MODEL:
            self.models_count += 1
        elif dimension[1] in FOLDABLE:
            self.labels_count += 1
        else:
            self.values_count += 1
        return True


class ValueAdmission:
    """What one request adds: nothing, until it is accepted and `keep` is called."""

    def __init__(self, admitted: AdmittedValues) -> None:
        self._admitted = admitted
        self._new: defaultdict[OwnDimension, set[str]] = defaultdict(set)
        self._fit: set[tuple[str, tuple[str, ...]]] = set()
        """Labels of a tenant that had room, all of them: most events of a request say the same."""
        self.folded_count = 0

    def folded(self, tenant: str, labels: Labels) -> tuple[str, ...]:
        """Those of an event's dimensions for whose value there is no room, in the order of the names. Raises
        EventError where a label says what stands for those."""
        stated = _read_foldable(labels)
        names: list[str] = []
        if any(stated) and (tenant, stated) not in self._fit:
            names = [
                name
                for name, value in zip(FOLDABLE, stated, strict=True)
                if not self._has_room(tenant, name, value)
            ]
            if not names:
                self._fit.add((tenant, stated))
        names += [name for name, value in labels.own.items() if not self._fits((tenant, name), value)]
        self.folded_count += len(names)
        return tuple(sorted(names))

    def check_model(self, tenant: str, provider: str, sku: str) -> None:
        """Raises EventError where the day has no room for another model; one that came already passes."""
        name, models = f"{provider}/{sku}", (tenant, MODEL)
        admitted = self._admitted.values.get(models, ())
        if name in admitted:
            return
        new = self._new[models]
        if name in new or self._admitted.models_count >= MODELS_MAX:
            return
        if len(admitted) + len(new) >= MODELS_PER_DAY_MAX:
            raise EventError(
                f"is another model, and {MODELS_PER_DAY_MAX:,} of this tenant came today (UTC), the most in a"
                " day: send the model's own name, and put what varies in a label",
                "data.sku",
            )
        new.add(name)

    def _has_room(self, tenant: str, name: str, value: str) -> bool:
        """Of a label that everybody has."""
        if value == FOLDED:
            raise EventError(f"{FOLDED!r} stands for what is folded", f"data.labels.{name}")
        admitted, new = self._admitted.values.get((tenant, name), ()), self._new[tenant, name]
        if not value or value in admitted or value in new:
            return True
        if len(admitted) + len(new) >= LABEL_VALUES_PER_DAY_MAX:
            return False
        if self._admitted.labels_count < LABELS_MAX:
            new.add(value)
        return True

    def _fits(self, dimension: OwnDimension, value: str) -> bool:
        admitted, new = self._admitted.values.get(dimension, ()), self._new[dimension]
        if value in admitted or value in new:
            return True
        if len(admitted) + len(new) >= VALUES_PER_DAY_MAX or self._admitted.values_count >= VALUES_MAX:
            return False
        new.add(value)
        return True

    def keep(self) -> None:
        """The request was accepted: its values came."""
        for dimension, values in self._new.items():
            self._admitted.admit(dimension, values)
