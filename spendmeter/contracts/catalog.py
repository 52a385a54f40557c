"""The `catalog` topic: what anything costs, as immutable entries, and the markers that put them in force.

An entry never changes. Its id is a digest of what it says, every booked line names the ids that decided it,
and a correction is a `Withdrawal` of the old entry beside a new one in the same publication. The book of
version V is every entry with `version` <= V that no such entry withdraws. A worker switches to V only when it
has seen the marker of V and exactly as many entries as the marker counts: old book or new, never a mixture.

An older worker that meets a field or a kind it does not know computes another id, or none, misses the count
and keeps its book: it never prices by half a condition. There are no tombstones.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from spendmeter.contracts.events import CostClass, Currency, Instant, Name, UnitName
from spendmeter.contracts.units import PER_EVENT_MAX

PUBLICATION_KEY = b"publication"
"""The Kafka key of every marker (entries have their id): compaction keeps the last."""
PUBLISHED_HEADER = "publication"
"""The Kafka header of an entry's record that holds `PublishedAs`. Workers that price do not look at it."""
MATCH_STARS_MAX = 3

PlainDecimal = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,17})(\.[0-9]{0,17}[1-9])?\Z")]
"""A non-negative decimal in its one spelling: no exponent, no leading or trailing zeros, 18 and 18 digits."""
ShortText = Annotated[str, Meta(max_length=256)]
Match = Annotated[str, Meta(min_length=1, max_length=256)]
"""A lower-case name in which `*` stands for anything and `#` for one digit."""
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z|^24:00\Z")]
Layer = Literal["unconfirmed", "public", "organisation", "contract"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
"""Later wins. Unconfirmed: what one public list alone says, which bounds, and prices nothing. Organisation:
what this installation (or one tenant) states itself; contract: what the tenants whose terms name the
contract, or one tenant, have negotiated."""
PriceKind = Literal["list", "contracted"]

HOLIDAY = 8
"""The weekday of a day that the calendar lists as a holiday."""


class HoursWindow(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A stretch of local time that recurs weekly: start inclusive, end exclusive. An end at or before the
    start lies on the next day, and the whole stretch belongs to the day on which it starts."""

    days: tuple[Annotated[int, Meta(ge=1, le=8)], ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    """ISO weekdays, Monday = 1; 8 = a holiday of the calendar, whatever its weekday."""
    start: Clock = "00:00"
    end: Clock = "24:00"


class Conditions(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """When a price or an adjustment applies: all that is stated must hold; what is not stated is any."""

    effective_from: Instant | None = None
    """Inclusive; None = since ever."""
    effective_to: Instant | None = None
    """Exclusive; None = until a withdrawal."""
    batch: bool | None = None
    tiers: tuple[Name, ...] = ()
    """Service tiers that served, by the names that spellings give them; "standard" needs no naming."""
    regions: tuple[ShortText, ...] = ()
    """Lower case: regions, or groups of them as spellings name them; "" = the event says nothing of where."""
    calendar: str = ""
    """Name of the vendor's calendar, on which `windows` are read."""
    windows: tuple[HoursWindow, ...] = ()
    context_min: int | None = None
    context_min_inclusive: bool = False
    """Total context tokens above which (or from which) the price applies, to the whole request."""
    context_max: int | None = None
    context_max_inclusive: bool = True

    def in_force(self, at: datetime) -> bool:
        """Whether an instant lies within their dates, whatever else they state."""
        since, until = self.effective_from, self.effective_to
        return (since is None or since <= at) and (until is None or at < until)

    def without_dates(self) -> Conditions:
        """The same at any time."""
        return replace(self, effective_from=None, effective_to=None)


ANY = Conditions()


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """What every kind of entry has; the second group is about the entry and is not part of its id.

    Entries lead to no circles, so the garbage collector need not walk a catalog of them (gc=False)."""

    tenant: Annotated[str, Meta(max_length=64)] = ""
    """Whom it concerns; '' = everybody."""
    revision: int = 0
    """Raised to state again what was withdrawn before."""

    id: str = ""
    version: int = 0
    """The publication that brought it into the book."""
    source: str
    """Where it is written: an address, or a file and its version."""
    recorded_at: Instant
    """Since when we believe it."""
    by: str = ""
    note: str = ""


class Price(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.price.v1"):
    """What one unit of a sku costs under some conditions: `price` in `currency` for `per` units.

    An explicit "0" is free; unknown is the absence of an entry.
    """

    layer: Layer = "public"
    contract: ShortText = ""
    kind: PriceKind = "list"
    provider: Name
    sku: Name
    unit: UnitName
    price: PlainDecimal
    per: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 1
    currency: Currency = "USD"
    minimum: PlainDecimal = "0"
    """The least quantity billed where there is any."""
    maximum: PlainDecimal | None = None
    """The most of one event that is billed (searches of one grounded prompt are one fee); None = all."""
    per_event: bool = False
    """Charged once for an event whose usage mentions neither the unit nor a unit whose parent it is (a fee
    per call, where the event may say of which kind the call was)."""
    assumes: ShortText = ""
    """What is taken for granted where the event does not say more, for its line ("low search context"). To a
    unit that says more and has no price of its own, this one is a guess."""
    all_in: bool = False
    """Whatever a factor on list prices adds (a region, say) is in it already: none applies to it."""
    when: Conditions = ANY

    @property
    def per_unit(self) -> Fraction:
        """What one unit costs, exactly; for comparing."""
        return Fraction(self.price) / self.per


class Adjustment(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.adjustment.v1"):
    """A factor on unit prices: a residency uplift ("1.1", on list and contracted) or a negotiated discount
    ("0.88", kind contracted). Those of different names multiply; of one name the most specific applies."""

    layer: Layer = "public"
    contract: ShortText = ""
    kind: PriceKind = "list"
    name: Name
    provider: Name
    skus: tuple[Match, ...] = ()
    """None = every sku of the provider."""
    unless: tuple[Match, ...] = ()
    """Skus that it leaves as they are: in a region they cost the same; in a batch or tier, nobody knows."""
    units: tuple[UnitName, ...] = ()
    unless_stated: bool = False
    """Not on a price that says itself what serving like that costs: one that states a batch, a tier or a
    region, where this one states the same."""
    factor: PlainDecimal
    when: Conditions = ANY


class Model(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.model.v1"):
    """A sku by all its names. An exact alias wins over a match, a longer match over a shorter one."""

    provider: Name
    sku: Name
    aliases: tuple[Match, ...] = ()
    match: tuple[Match, ...] = ()
    unless: tuple[Match, ...] = ()
    family: ShortText = ""
    """Where the name alone does not tell it; the family bounds the price of a model not yet known."""
    retired: bool = False


class Provider(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.provider.v1"):
    """A provider by all its names, and whose prices it charges for the models it resells."""

    provider: Name
    match: tuple[Match, ...] = ()
    resells: tuple[Name, ...] = ()
    passes_on: tuple[Match, ...] = ()
    """Names, each of a maker's and a model ("openai/gpt-*"), that it sells at the maker's price, whatever its
    own list says of them; that counts where the maker's has no such model."""
    unless: tuple[Match, ...] = ()
    """Those of them that it prices itself."""

    @property
    def makers(self) -> list[str]:
        """Whose prices it passes on."""
        return sorted({match.partition("/")[0] for match in self.passes_on})


class Alias(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.alias.v1"):
    """What a name meant for a time: `name` of `provider` is `sku` from an instant to another. It goes before
    every name that a model states itself, which holds at any time."""

    provider: Name
    name: Match
    sku: Name
    effective_from: Instant | None = None
    """Inclusive; None = since ever."""
    effective_to: Instant | None = None
    """Exclusive; None = until a withdrawal."""


class Spelling(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.spelling.v1"):
    """How a way of serving is written: what is like `match` and like none of `unless` is `name`.

    A tier is then `name` and nothing else ("" of a tier and of a region: served as standard, anywhere). A
    region stays itself too: `name` is the group of regions that it belongs to, and a price for the region
    goes before one for its group. The longer match decides, and a provider's own before everybody's.
    """

    provider: Annotated[str, Meta(max_length=256)] = ""
    """'' = whoever serves."""
    of: Literal["tier", "region"]
    name: Annotated[str, Meta(max_length=256)]
    match: tuple[Annotated[str, Meta(max_length=256)], ...]
    unless: tuple[Annotated[str, Meta(max_length=256)], ...] = ()


class NameRule(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.name_rule.v1"):
    """Another way in which names are written: one like `match` and like none of `unless` reads as `becomes`.

    In a match `{name}` is some text and `{rest}` any or none, which `becomes` may repeat; `{provider}` any
    name of the seller; `{region}` a cloud's region, in which the event was served where it states none
    itself; `#` one digit, which the `#` of `becomes` repeat in their order; `*` anything. Rules chain. A name
    that an entry states itself is never read otherwise, and nothing is priced by a rule that does not lead to
    such a name.
    """

    providers: tuple[Name, ...] = ()
    """Who writes names so; none = anybody."""
    of: Literal["model", "provider"] = "model"
    name: Name
    order: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """The lower is tried first, and is the one that a receipt names where several lead to the same."""
    match: tuple[Match, ...]
    unless: tuple[Match, ...] = ()
    becomes: Match
    costs: Literal["same", "as_matched", "unknown"] = "unknown"
    """What is left out is documented to leave the price as it is; or it is where the match of a model takes
    it too; or nobody knows, and the model that is found only bounds the price."""
    at_most: PlainDecimal = "1"
    """Where nobody knows: how many times the price of the model that is found bounds it."""
    region: str = ""
    """The region that such a name says without writing it ("us-gov." of Bedrock's profiles)."""
    tier: str = ""
    """The tier that such a name says ("-fast"), whatever the event states."""
    batch: bool = False
    """Whether such a name says that it was served in a batch (":batch")."""
    says: ShortText
    """Why, for a receipt: "a reasoning effort does not change the price"."""
    effective_from: Instant | None = None
    """Inclusive; None = since ever."""
    effective_to: Instant | None = None
    """Exclusive; None = until a withdrawal."""


class UnitEntry(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.unit.v1"):
    """A unit that the shipped registry (units.toml) does not have; the fields mean the same."""

    unit: UnitName
    about: str
    parent: str | None = None
    context: bool = False
    per_event_max: Annotated[int, Meta(ge=1, le=PER_EVENT_MAX)] | None = None
    """For what is received after `recorded_at`, so that a rebuild rejects nothing that was booked; None = as
    of any unit. Rating applies it; the door does not know the catalog."""


class CalendarEntry(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.calendar.v1"):
    """A vendor's clock: an IANA time zone, and the dates ("2026-10-01") that count as holidays."""

    name: Name
    time_zone: Name
    holidays: tuple[Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}\Z")], ...] = ()


class TenantTerms(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.tenant.v1"):
    """What holds for a tenant from an instant until its next terms begin, all of it: nothing is inherited.
    The one source of its currency and calendar; see contracts/terms.py."""

    effective_from: Instant | None = None
    """None = from the beginning."""
    currency: Currency = "USD"
    """Of the book; every amount is booked in it."""
    time_zone: Name = "UTC"
    first_weekday: Annotated[int, Meta(ge=1, le=7)] = 1
    """ISO, Monday = 1."""
    fiscal_start_month: Annotated[int, Meta(ge=1, le=12)] = 1
    contracts: tuple[Name, ...] = ()
    """An earlier one wins over a later one."""
    fallback: dict[UnitName, PlainDecimal] = {}
    """Upper bound for one unit of something unknown, in book currency."""
    fallback_event: PlainDecimal | None = None
    """Upper bound for an event of something unknown, where no unit of it has a bound."""


class FxRate(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.fx.v1"):
    """One `base` is worth `rate` `quote`, from an instant until the next rate of the pair."""

    base: Currency
    quote: Currency
    rate: PlainDecimal
    effective_from: Instant


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The price of one unit beyond a quantity in the period."""

    over: PlainDecimal = "0"
    price: PlainDecimal


class PeriodTerm(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.period.v1"):
    """An effect of a whole period, which true-ups book. Rating, which sees one event, ignores it.

    graduated: each step prices what lies in it; volume: the step reached prices all; allowance: the first
    `quantity` is free; commitment: `quantity` is paid for at `amount` whether used or not; spend_commitment:
    usage worth `quantity`, in `currency`, is paid for at `amount` whether used or not.
    """

    layer: Layer = "public"
    contract: ShortText = ""
    effect: Literal["graduated", "volume", "allowance", "commitment", "spend_commitment"]
    period: Literal["day", "month", "quarter", "year"] = "month"
    provider: Name
    skus: tuple[Match, ...] = ()
    units: tuple[UnitName, ...] = ()
    """None = whatever is charged for, of a spend_commitment alone."""
    cost_classes: tuple[CostClass, ...] = ()
    steps: tuple[Step, ...] = ()
    per: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 1
    quantity: PlainDecimal = "0"
    amount: PlainDecimal = "0"
    currency: Currency = "USD"
    when: Conditions = ANY


class Withdrawal(Entry, frozen=True, kw_only=True, tag="spendmeter.catalog.withdrawal.v1"):
    """These entries are no longer believed, for any time; what was booked by them stays explained by them."""

    entries: tuple[ShortText, ...]


class Publication(Struct, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.catalog.marker.v1"):
    """The book of `version` is complete: `entries` entries have a version up to this one."""

    version: int
    entries: int
    published_at: Instant


class PublishedAs(Struct, frozen=True, kw_only=True):
    """How the publication of an entry was recorded: markers are compacted away, and this stays with it."""

    by: str
    note: str
    at: Instant
    entries: int
    """As its marker counts them."""


PriceEntry = Price | Adjustment
"""What a price is made of: an amount for so many units, or a factor on it."""
CatalogEntry = (
    Price
    | Adjustment
    | Model
    | Provider
    | Alias
    | Spelling
    | NameRule
    | UnitEntry
    | CalendarEntry
    | TenantTerms
    | FxRate
    | PeriodTerm
    | Withdrawal
)
CatalogRecord = CatalogEntry | Publication

decode_catalog = msgspec.json.Decoder(CatalogRecord).decode
encode_catalog = msgspec.json.Encoder().encode
