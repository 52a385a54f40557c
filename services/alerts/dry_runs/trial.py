"""A dry run that is being carried out: of which rule, over which time, and by whose leave it reads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.rules import TenantRules
from services.alerts.turns import Turns
from spendmeter.contracts.alert_rules import RULE_KINDS, AlertRule
from spendmeter.contracts.incidents import EVENTS
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.service_keys import ACCRUALS, key_id
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("dry_runs.sql"))
CLAIM = timedelta(seconds=60)
ADVANCED_S = 2.0


@dataclass(eq=False, kw_only=True)
class RuleTrial:
    """One row of `rule_dry_runs`; every method raises CONNECTION_ERRORS."""

    tenant: str
    id: Any
    attempt: int
    rule: AlertRule
    since: datetime
    until: datetime
    rules: TenantRules
    """By which the tenant is watched."""
    pool: asyncpg.Pool[asyncpg.Record]
    turns: Turns
    bill_keys: BillKeys
    notes: list[str] = field(default_factory=list)
    """How it differs from watching."""
    _advanced_s: float = float("-inf")

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    @property
    def calendar(self) -> Timeline:
        return self.rules.calendar

    @property
    def currency(self) -> str:
        return self.calendar.at(self.until).currency

    @property
    def unit(self) -> str:
        """Of what the rule is about: money, but of what is not booked events."""
        return EVENTS if self.rule.of == "unbooked" else self.currency

    def rules_beside(self) -> list[AlertRule]:
        """The rule that is tried, in the place of what it is now, then the others of its kind that are on."""
        return [self.rule, *(rule for rule in self.rules.of(self.rule.of) if rule.id != self.rule.id)]

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Around a statement that may be dear."""
        return self.turns.turn(self.tenant, "dry_runs")

    async def bills(self) -> list[str]:
        """The keys by which the tenant's bills come."""
        return sorted(await self.bill_keys.keys_of(self.tenant))

    async def keys_not_live(self) -> list[str]:
        """These, and the key of accruals."""
        return [key_id(ACCRUALS), *await self.bills()]

    async def advance(self, progress: Decimal) -> None:
        """How far it is; it stays ours for as long again. Written every ADVANCED_S at most: call it often."""
        if time.monotonic() - self._advanced_s < ADVANCED_S:
            return
        self._advanced_s = time.monotonic()
        await self.pool.execute(SQL["advance"], self.tenant, self.id, progress, CLAIM, self.attempt)


def trial_of(
    row: Mapping[str, Any],
    rules: TenantRules,
    pool: asyncpg.Pool[asyncpg.Record],
    turns: Turns,
    bill_keys: BillKeys,
) -> RuleTrial:
    """Of a row that was claimed. The rule is as severe as it is now: what is grave is told otherwise."""
    until, of = row["asked_at"].replace(second=0, microsecond=0), row["of"]
    severity = next(
        (rule.severity for rule in rules.rules if rule.id == row["rule_id"]), RULE_KINDS[of].severity
    )
    rule = AlertRule(
        id=row["rule_id"], of=of, name="", filter=row["filter"], severity=severity, enabled=True, revision=0,
        changed=row["settings"],
    )  # fmt: skip
    return RuleTrial(
        tenant=row["tenant"], id=row["id"], attempt=row["attempts"], rule=rule, rules=rules,
        since=until - timedelta(days=row["days"]), until=until, pool=pool, turns=turns, bill_keys=bill_keys,
    )  # fmt: skip
