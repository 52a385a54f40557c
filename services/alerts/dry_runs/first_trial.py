"""Tries a rule of firsts on what was met for the first time in some days."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.firsts import NewValue, firsts_among
from services.alerts.dry_runs.trial import SQL, RuleTrial
from spendmeter.book.reading import one_instant, spent_in
from spendmeter.platform.sql import load_sql

KNOWN_SINCE = load_sql(Path(__file__).parents[1] / "firsts" / "firsts.sql")["known_since"]
VALUES_TRIED_MAX = 2_000
NOTES = ("what woke after a long while, and what has no price, is not tried",)


async def try_firsts(trial: RuleTrial) -> list[WouldHaveFired]:
    """The values that were new, and that the rule would have told."""
    trial.notes.extend(NOTES)
    unlike = await trial.keys_not_live()
    days = [trial.calendar.bounds("day", trial.since)[0]]
    while days[-1] < trial.until:
        days.append(trial.calendar.bounds("day", days[-1])[1])
    async with trial.turn(), one_instant(trial.pool) as connection:
        read = await spent_in(connection, trial.tenant, days, trial.calendar)
        rows = await connection.fetch(
            SQL["new_values"], *read, trial.currency, unlike, trial.since, VALUES_TRIED_MAX
        )
        known_since = await connection.fetchval(KNOWN_SINCE, trial.tenant)
    return firsts_among(trial.rule, [_new(row) for row in rows], known_since)


def _new(row: asyncpg.Record) -> NewValue:
    provider = row["provider"] if row["dimension"] in ("sku", "provider") else ""
    return NewValue(**{**row, "provider": provider})
