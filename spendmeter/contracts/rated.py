"""What rating says of each usage event, on `usage.rated`, in the order of the input.

The head spares the ledger all work; the event and its lines follow as raw JSON that nobody decodes on the
way into the book.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal, get_args

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

Remark = Literal["batch", "tier", "region"]
"""What of the way of serving a line's price does not mention, though the vendor may charge by it: the price
is one for any."""
REMARKS: tuple[Remark, ...] = get_args(Remark)
PriceStatus = Literal["priced", "free", "reported", "provisional", "unpriced"]
STATUSES: tuple[str, ...] = get_args(PriceStatus)
"""Worse from left to right: an event's status is its worst line's."""


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """Where the usage event lies on `usage.events`; `topic` is the topic's id, new when it is re-created."""

    topic: str
    partition: int
    offset: int


class Multiplier(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A factor on a unit price, and the catalog entry that says so."""

    name: str
    factor: str
    entry: str
    kind: Literal["list", "list_alone", "contracted"] = "list"
    """On both prices, on the list one alone, or on the contracted one alone."""


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How one unit of an event was priced; anybody can redo it by hand: amount = quantity x price.

    Kept short, because every booked event stores its lines: what is left out equals what it defaults to.
    Prices and amounts are plain decimal strings.
    """

    unit: str
    entry: str = ""
    """Id of the catalog entry that decided the price; '' where none did."""
    price: str | None = None
    """List price of one unit, multipliers applied, in `currency`; None = unknown (never zero)."""
    amount: str | None = None
    """List amount in `currency`."""
    quantity: int | Decimal | None = None
    """What was billed; None = the quantity that the event states."""
    per: int = 1
    """The prices are for so many units where one unit's has no finite decimal (an hour's, for seconds):
    amount = quantity x price / per, rounded half-even to 12 places."""
    contracted_quantity: int | Decimal | None = None
    """What was billed by the contract, where that is another quantity: it has limits of its own."""
    contracted_entry: str = ""
    contracted_price: str | None = None
    contracted_amount: str | None = None
    """None = as list."""
    contracted_currency: str = ""
    contracted_fx: str = ""
    """Where the contract is in another currency than the list price."""
    effective_amount: str | None = None
    """Of a charge alone: what its bill says, in `currency`. None = as contracted."""
    multipliers: tuple[Multiplier, ...] = ()
    currency: str = ""
    """The currency as priced; '' = the tenant's book currency."""
    fx: str = ""
    """Id of the dated exchange rate entry, and the amounts in book currency; '' = no conversion."""
    book_list: str | None = None
    book_contracted: str | None = None
    book_effective: str | None = None
    status: PriceStatus = "priced"
    parent: str = ""
    """The unit whose price was used because this one has none; '' = its own."""
    reason: str = ""
    """Why the line is provisional or unpriced, or how it was otherwise decided."""
    remarks: tuple[Remark, ...] = ()
    """What of the way of serving, which the event states, is not in the price."""
    region: str = ""
    """The region that is remarked, where the event leaves it to its model's name to say."""
    tier: str = ""
    """The tier that is remarked, where the model's name says it."""


class Remarked(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The remarks on an event's lines, each with what the event states; '' and false = no such remark. Names
    and values are spelt as the event spells them; what its model's name says is in small letters."""

    provider: str
    batch: bool = False
    tier: str = ""
    region: str = ""


class RatedUsage(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="spendmeter.rated.v1"):
    """One priced event. Sums are plain decimal strings in the tenant's book currency."""

    origin: Origin
    prev: int
    """The offset delivered to rating before this one in the same partition: what lies between are holes."""
    identity: str
    hash: str
    """Both 32 hex digits."""
    tenant: str
    series_id: str
    series: Raw
    time: datetime
    status: PriceStatus
    catalog_version: int
    currency: str
    list: str
    contracted: str
    effective: str
    usage: dict[str, int | str]
    """Quantities by unit, for rollups: int, or a plain decimal string; `counted.py` says which."""
    event: Raw
    lines: Raw
    accounting_period: date | None = None
    """The month of the event's time in the tenant's zone, as its first day; None = the rater did not say."""
    remarked: Remarked | UnsetType = UNSET
    """Not there where no line has a remark: nearly always, and in what older raters wrote."""
    supersedes: str | UnsetType = UNSET
    """The identity (32 hex digits) of the submission whose place the event takes; not there where it names
    none, and in what older raters wrote."""


class RejectedUsage(
    Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="spendmeter.rejected.v1"
):
    """One record that rating refused. What it says of the event is allow-listed: who sent it and why not."""

    origin: Origin
    prev: int
    reason: str
    size: int
    sha256: str
    tenant: str = ""
    """Empty where the record does not name one that could be read: unattributable."""
    key_id: str = ""
    source: str = ""
    id: str = ""


class PassedHoles(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="spendmeter.passed.v1"):
    """Rating has read to `origin.offset` (exclusive) and nothing lay there: control records or aborted
    transactions at the end of the log, which would otherwise look like events in flight for ever."""

    origin: Origin
    prev: int


Rated = RatedUsage | RejectedUsage | PassedHoles

decode_rated = msgspec.json.Decoder(Rated).decode
encode_rated = msgspec.json.Encoder().encode
decode_lines = msgspec.json.Decoder(list[Line]).decode
