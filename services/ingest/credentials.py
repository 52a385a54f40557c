"""Who is sending: a snapshot of all live keys, and the check of one. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from services.ingest.refused import forbidden, unauthorized
from spendmeter.contracts.charges import is_charge
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.label_maps import TenantMaps
from spendmeter.contracts.meters import UsageMeter
from spendmeter.platform.keys import StoredKey, parse_key

INGEST, IMPORT = "ingest", "import"
SENDING = frozenset({INGEST, IMPORT})
"""The scopes of keys that may send anything at all."""


@dataclass(frozen=True, kw_only=True)
class IngestCredential(StoredKey):
    """A key that may send. An operator's names the tenant in each event."""

    scopes: frozenset[str]
    trust_reported_cost: bool
    events_per_minute: int | None = None
    """None = as the process's settings say."""


@dataclass(frozen=True, kw_only=True)
class NumberedMaps:
    """A tenant's label maps as stored: they are read again where the number is another."""

    number: int
    maps: TenantMaps


@dataclass(frozen=True, kw_only=True)
class NumberedMeters:
    """A tenant's meters as stored, likewise; by event type."""

    number: int
    meters: Mapping[str, UsageMeter]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that decides who may send what, as of `read_at` (monotonic seconds)."""

    credentials: Mapping[str, IngestCredential]
    """By key id."""
    pseudonym_keys: Mapping[tuple[str, date], bytes] = field(repr=False)
    """By tenant and first day of the month."""
    tenants: frozenset[str]
    regions: Mapping[str, str] = field(default_factory=dict)
    """By tenant that is pinned to one, the only region whose system may take its usage."""
    erasures: Mapping[str, int] = field(default_factory=dict)
    """By tenant, the number of the last time that somebody was forgotten."""
    read_at: float
    dimensions: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By tenant, the names of its own that it sends."""
    maps: Mapping[str, NumberedMaps] = field(default_factory=dict)
    """By tenant, what it has set about attributes that others send."""
    meters: Mapping[str, NumberedMeters] = field(default_factory=dict)
    """By tenant, what it has set about events of types that are not ours."""

    @cached_property
    def mapped_attributes(self) -> frozenset[str]:
        """All that anybody's maps look at."""
        return frozenset[str]().union(*(numbered.maps.attributes for numbered in self.maps.values()))


def authenticate(snapshot: Snapshot, authorization: str, now: datetime) -> IngestCredential:
    """The credential of an `Authorization` header, if it may ingest. Raises RequestRefused 401 or 403."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise unauthorized("send an API key: Authorization: Bearer sm_...")
    presented = parse_key(text.strip())
    stored = snapshot.credentials.get(presented.key_id) if presented else None
    if presented is None or stored is None or not stored.opens(presented, now):
        raise unauthorized("this API key is unknown, expired or revoked")
    if SENDING.isdisjoint(stored.scopes):
        raise forbidden(f"key {stored.key_id} has not the scope {INGEST!r}")
    return stored


def check_may_send(event: UsageEvent, credential: IngestCredential) -> None:
    """A key sends usage or bills, never both: so a series tells by its key how its spend arrives, and nobody
    but who may import credits himself. Raises RequestRefused 403."""
    if is_charge(event):
        if IMPORT not in credential.scopes:
            raise forbidden(
                f"charges are signed, so only keys with the scope {IMPORT!r} send them; "
                f"key {credential.key_id} has it not"
            )
    elif INGEST not in credential.scopes:
        raise forbidden(f"key {credential.key_id} has the scope {IMPORT!r}: it sends charges, and no usage")
