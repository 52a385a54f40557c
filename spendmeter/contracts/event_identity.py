"""What makes two events one (`identity`), and what makes one that comes again another (`content_hash`)."""

from decimal import Decimal
from hashlib import blake2b

import msgspec

from spendmeter.contracts.charges import charge_of
from spendmeter.contracts.events import Amount, Outcome, UsageEvent
from spendmeter.contracts.money import normal_quantity

canonical = msgspec.json.Encoder(order="sorted").encode
"""As what is hashed is written."""


def identity(tenant: str, source: str, id: str) -> bytes:
    """BLAKE2b-128 over the length-prefixed (tenant, source, id): what makes two submissions one event."""
    parts = [part.encode() for part in (tenant, source, id)]
    prefixed = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
    return blake2b(prefixed, digest_size=16).digest()


def superseded_identity(event: UsageEvent) -> bytes | None:
    """The identity of the submission whose place the event takes; None = of none."""
    if not event.supersedes:
        return None
    return identity(event.tenant, event.supersedessource or event.source, event.supersedes)


def content_hash(event: UsageEvent) -> bytes:
    """BLAKE2b-128 over what the event says, whatever way it was written.

    Defaults are filled, numbers normal, keys sorted; times, keyid, trace, unknown fields, the user
    label and what is folded stay out: a retry may carry others, or come on a day on which more is folded.
    """
    data = event.data
    context, labels, performance = data.context, data.labels, data.performance
    # In this order for ever: a field that joins the event must not change the hash of those that are booked.
    content: tuple[object, ...] = (
        *(event.type, event.tenant, event.source, event.id, event.subject, event.trustreportedcost),
        *(data.cost_class, data.provider, data.sku, data.usage),
        *(context.service_tier, context.region, context.batch),
        *(labels.team, labels.project, labels.feature, labels.workflow, labels.workflow_version),
        *(labels.run, labels.agent, labels.environment),
        *(performance.latency_ms, performance.status),
        _outcome(data.outcome),
        canonical_amount(data.reported_cost),
    )
    if labels.own:  # only where they are stated: see above
        content += ("own", labels.own)
    if event.supersedes:
        content += ("supersedes", event.supersedessource or event.source, event.supersedes)
    if data.estimated:
        content += ("estimated", sorted(data.estimated))
    if data.normalised != "stated":
        content += ("normalised", data.normalised)
    if data.cadence != "live":
        content += ("cadence", data.cadence)
    if charge := charge_of(event):
        content += ("charge", charge)
    return blake2b(canonical(content), digest_size=16).digest()


def canonical_amount(amount: Amount | None) -> tuple[Decimal, str] | None:
    """Money as it is hashed, in whatever way it was written."""
    return None if amount is None else (Decimal(normal_quantity(amount.amount)), amount.currency)


def _outcome(outcome: Outcome | None) -> tuple[str, int, tuple[Decimal, str] | None] | None:
    return None if outcome is None else (outcome.name, outcome.count, canonical_amount(outcome.value))
