"""How good a tenant's rules are: what people made of their incidents, and which gate would be better."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.api.access.auth import Reader
from services.api.database.tenant import read_tenant
from services.api.database.transactions import database_of
from services.api.http.models import DecimalString
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated
from services.api.rules.judging import JudgedIncident, proposal_of, record_of
from services.api.rules.routes import rule_in_force
from spendmeter.platform.sql import load_sql

SPANS_DAYS = (30, 90)
INCIDENTS_MAX = 10_000

SQL = load_sql(Path(__file__).with_name("quality.sql"))
router = APIRouter(tags=["rules"], route_class=Negotiated)


class RuleRecordAnswer(BaseModel):
    """What came of a rule in the last `days`. `incidents` were told, `kept` were planned or parts of others.
    `acknowledged_after_s`: the median. `precision`: of those that somebody acknowledged or judged, the share
    that was neither expected nor a false alarm; null below five. `money`: by currency."""

    days: int
    incidents: int
    per_day: DecimalString
    kept: int
    acknowledged: int
    acknowledged_after_s: int | None
    expected: int
    false_alarm: int
    without_feedback: int
    precision: DecimalString | None
    repeats: int
    money: dict[str, DecimalString]


class GateProposalAnswer(BaseModel):
    """A higher gate for a rule that is wrong more often than right. Of the `noise` (expected, false alarms)
    `spares` came to no more than `value` in all, so they would not have been told; of what was worth telling
    `keeps` came to more, and may be told later than now. A dry run says what would have fired."""

    setting: Literal["amount_min"]
    now: DecimalString
    value: DecimalString
    noise: int
    spares: int
    keeps: int


class RuleQuality(BaseModel):
    """What people made of a rule's incidents, over the last 30 and 90 days."""

    id: str
    name: str
    enabled: bool
    records: list[RuleRecordAnswer]
    proposal: GateProposalAnswer | None


@router.get("/v1/rules/{id}/quality", responses=answers("rule_quality", missing="no such rule"))
async def get_quality(request: Request, caller: Reader, id: str) -> RuleQuality:
    """How often a rule was right, how soon somebody had it in hand, and which gate would be better."""
    now = datetime.now(UTC)
    since = now - timedelta(days=max(SPANS_DAYS))
    async with database_of(request).reading(caller.tenant) as connection:
        rule = await rule_in_force(connection, id)
        currency = (await read_tenant(connection, caller.tenant)).currency
        rows = await connection.fetch(SQL["incidents"], id, since, INCIDENTS_MAX)
    incidents = [JudgedIncident(**row) for row in rows]
    proposal = proposal_of(rule, incidents, currency)
    return RuleQuality(
        id=id,
        name=rule.name,
        enabled=rule.enabled,
        records=[RuleRecordAnswer(**vars(record_of(incidents, days, now))) for days in SPANS_DAYS],
        proposal=GateProposalAnswer(**vars(proposal)) if proposal is not None else None,
    )
