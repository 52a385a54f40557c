"""After an approval: what had waited for it, booked at a bound or without an amount, and the re-rate that
prices it. Offered by default, and by policy started: a job of one tenant each."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field

from services.api.catalog.access import CatalogAccess
from services.api.catalog.impact import Deadline
from services.api.catalog.inbox_items import AtStake
from services.api.corrections.asking import CorrectorAccess
from services.api.corrections.rerate_models import NewRerate
from services.api.corrections.rerates import PATH
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.corrections import RerateRequest
from spendmeter.contracts.money import plain, totals
from spendmeter.platform.settings import Settings
from spendmeter.pricing.proposals.check import CheckedChange
from spendmeter.pricing.proposals.reach import concerned, reach_of

WAITED_DAYS = 90
"""As far back as the inbox looks."""
STATUSES = ["provisional", "unpriced"]


class RerateOffer(BaseModel):
    """What of a tenant waited for a publication, as the inbox counts it, and the request that prices it anew.
    `events` are at most so many: those that the same minutes saw with a price count too. What was booked at a
    bound after `as_of` is not counted, and the job prices it all the same: it goes through the book when it
    is asked for, and through what lagging raters book behind it."""

    tenant: str
    says: str
    as_of: datetime = Field(description="the publication was in force")
    events: int
    unpriced_events: int
    at_stake: list[AtStake]
    path: str = PATH
    body: dict[str, Any] = Field(description="to be sent to `path`")
    rerate_id: str | None = Field(None, description="of the job that was started; null: none was")


async def waited_for(access: CatalogAccess, change: CheckedChange, now: datetime) -> list[Any] | None:
    """The inbox's rows that a change concerns, of the tenants that the caller acts for; None = too many to
    look through in time."""
    rows: list[Any] | None = await Deadline(access).ask(
        "unknown", now - timedelta(days=WAITED_DAYS), many=True
    )
    if not rows:
        return rows
    reach = reach_of(change.snapshot.entries, change.added)
    books = change.snapshot.book, change.book

    def look() -> list[Any]:
        return [
            row
            for row in rows
            if concerned(row["tenant"], row["provider"], row["sku"], reach, books) == "named"
        ]

    return await asyncio.to_thread(look)


def offers(rows: Iterable[Any], version: int, reason: str, as_of: datetime) -> list[RerateOffer]:
    """One a tenant, of what was there then, over all the time that the inbox looks at: what comes late may be
    older than all that waits now."""
    by_tenant = defaultdict(list)
    for row in rows:
        by_tenant[row["tenant"]].append(row)
    return [_offer(tenant, found, version, reason, as_of) for tenant, found in sorted(by_tenant.items())]


def _offer(tenant: str, rows: list[Any], version: int, reason: str, as_of: datetime) -> RerateOffer:
    events, unpriced = sum(row["events"] for row in rows), sum(row["unpriced_events"] for row in rows)
    amounts = sorted(totals((row["currency"], row["provisional"]) for row in rows).items())
    stakes = [f"{plain(amount)} {currency} at a bound" for currency, amount in amounts if amount]
    stakes += [f"{unpriced:,} without an amount"] if unpriced else []
    since = (as_of - timedelta(days=WAITED_DAYS)).astimezone(UTC)
    return RerateOffer(
        tenant=tenant,
        says=f"up to {events:,} events of {tenant} waited for this ({', '.join(stakes)}) and keep what they "
        "were booked at until they are re-rated",
        as_of=as_of,
        events=events,
        unpriced_events=unpriced,
        at_stake=[AtStake(currency=currency, provisional=amount) for currency, amount in amounts],
        body={
            "publication": version,
            "statuses": STATUSES,
            "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
            "reason": reason,
        },
    )


def starts(settings: Settings, corrector: CorrectorAccess) -> CorrectorAccess | None:
    """Whom to ask for the re-rates of what waited for an approval; None: by policy they are offered."""
    return corrector if settings.rerate_on_approval == "start" else None


async def start(corrector: CorrectorAccess, offer: RerateOffer, by: str) -> None:
    """Ask for the job and have it applied; where the broker does not take it, the offer says so."""
    asked = NewRerate.model_validate(offer.body)
    wanted = RerateRequest(
        id=str(uuid4()),
        tenant=offer.tenant,
        selection=asked.selection(),
        version=offer.body["publication"],
        reason=asked.reason,
        by=by,
        at=datetime.now(UTC),
        apply=True,
    )
    try:
        await corrector.log.publish(wanted)
    except HttpRefusal as refusal:
        offer.says = f"{offer.says}; this could not be started ({refusal.detail})"
    else:
        offer.rerate_id, offer.says = wanted.id, f"{offer.says}, which has begun"
