"""A month with every cost class, every kind of price and every kind of correction, booked as in production."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from services.corrector.apply import Applier
from services.corrector.intake import take_in
from services.corrector.true_ups.keeper import TrueUpKeeper
from spendmeter.contracts.catalog import CatalogEntry, Conditions, FxRate, PeriodTerm
from spendmeter.contracts.corrections import EventCorrection, encode_correction
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Amount, Context, Labels, UsageData, UsageEvent
from tests.api.exported import ExportedBook
from tests.charges import charge
from tests.corrector.closing_world import ask_to_close, close_all, keeper_of
from tests.pricing.entries import RECORDED, adjustment, price, terms

FIRST = datetime(2026, 9, 1, tzinfo=UTC)
"""In US dollars until October begins, in euros from then on: 61 days."""
CHANGE = datetime(2026, 10, 1, tzinfo=UTC)
BEYOND = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = (BEYOND - FIRST).days
_MODELS = ("gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro", "llama-3.3-70b")
_SELLERS = dict(zip(_MODELS, ("openai", "anthropic", "google", "groq"), strict=True))
_TOKENS = {
    "input_tokens": "2.5",
    "output_tokens": "10",
    "cache_read_tokens": "0.25",
    "cache_write_5m_tokens": "3.125",
}
_ADJACENT = (
    # cost class, provider, sku, unit, price, for so many, quantity
    ("tool", "openai", "web-search", "searches", "10", 1000, 7),
    ("database", "aws", "dynamodb", "read_units", "0.125", 1_000_000, 1_500_000),
    ("vector", "pinecone", "serverless", "read_units", "16", 1_000_000, 250_000),
    ("compute", "coreweave", "h100", "gpu_hours", "2.23", 1, 3),
    ("storage", "aws", "s3", "gb_months", "0.023", 1, 120),
    ("network", "aws", "egress", "gb_egress", "0.09", 1, 42),
    ("hardware", "apple", "macbook", "asset_hours", "0.07", 1, 24),
    ("licence", "github", "copilot", "seat_hours", "0.026", 1, 24),
    ("labour", "acme", "review", "labour_hours", "85", 1, 2),
    ("training", "openai", "gpt-4o-ft", "training_tokens", "25", 1_000_000, 400_000),
    ("other", "acme", "audit", "requests", "3", 1, 1),
)
_DETAILS = {
    "InvoiceIssuerName": "AWS", "InvoiceId": "EU-2026-10-77", "BillingAccountId": "a-778899", "SubAccountId": "prod-1",
    "SubAccountName": "prod", "ServiceCategory": "Databases", "ServiceName": "Amazon DynamoDB", "SkuId": "DDB-READ",
    "SkuPriceId": "DDB-READ.USD", "RegionId": "eu-central-1", "ChargeFrequency": "Usage-Based",
}  # fmt: skip


def entries() -> list[CatalogEntry]:
    """Prices, a contract, a factor, rates, and in what the tenant counts. Nobody knows what `mystery` costs, nor
    what a pound is worth."""
    found: list[CatalogEntry] = [
        terms("acme", currency="USD", contracts=("deal",)),
        terms("acme", currency="EUR", effective_from=CHANGE, contracts=("deal",), fallback={"images": "0.5"}),
        _rate("USD", "EUR", "0.92"),
        _rate("EUR", "USD", "1.09"),
        price("gift", "requests", "0", per=1),
        price("pounds", "requests", "2", per=1, currency="GBP"),
        price("francs", "requests", "2", per=1, currency="EUR"),
        adjustment("batch", "0.5", when=Conditions(batch=True)),
    ]
    for sku, seller in _SELLERS.items():
        found += [price(sku, unit, amount, provider=seller) for unit, amount in _TOKENS.items()]
    deal = {"contract": "deal", "layer": "contract", "kind": "contracted"}
    found.append(price("gpt-4o", "output_tokens", "8", **deal))
    found += [
        price(sku, unit, amount, per=per, provider=of) for _, of, sku, unit, amount, per, _ in _ADJACENT
    ]
    return found


def _rate(base: str, quote: str, rate: str) -> FxRate:
    return identified(
        FxRate(base=base, quote=quote, rate=rate, source="test", recorded_at=RECORDED, effective_from=FIRST)
    )


def _event(id: str, at: datetime, sku: str, usage: dict[str, Any], **said: Any) -> UsageEvent:
    labels = Labels(
        team=said.pop("team", "payments"), workflow=said.pop("workflow", "refund"), agent=said.pop("agent", "triage"),
        environment="prod",
    )  # fmt: skip
    stamped = {name: said.pop(name) for name in ("trustreportedcost",) if name in said}
    data = UsageData(provider=said.pop("provider", "openai"), sku=sku, usage=usage, labels=labels, **said)
    return UsageEvent(
        specversion="1.0", type="spendmeter.usage.v1", id=id, source="bot", subject="acme/app", tenant="acme",
        keyid="k1", time=at, receivedat=at, data=data, **stamped,
    )  # fmt: skip


def usage() -> list[UsageEvent]:
    """Every day the models and all that is not a model; on some days what is priced otherwise."""
    found = []
    for day in range(DAYS):
        at = FIRST + timedelta(days=day, hours=9)
        for number, sku in enumerate(_MODELS):
            tokens = {
                "input_tokens": 1_234_567 + 1009 * day, "output_tokens": 98_765 + day,
                "cache_read_tokens": 7_654_321, "cache_write_5m_tokens": 45_678,
            }  # fmt: skip
            context = Context(region="eu" if number % 2 else "", batch=day % 5 == 0)
            found.append(
                _event(
                    f"m-{sku}-{day}",
                    at,
                    sku,
                    tokens,
                    provider=_SELLERS[sku],
                    context=context,
                    team=f"team{number}",
                )
            )
        found += [
            _event(f"a-{kind}-{day}", at, sku, {unit: quantity}, provider=of, cost_class=kind)
            for kind, of, sku, unit, _, _, quantity in _ADJACENT
        ]
    at = FIRST + timedelta(days=40, hours=9)
    hostile = '=HYPERLINK("http://x","y"),\r\n"quoted"'
    return [
        *found,
        _event("unpriced", at, "mystery", {"gpu_hours": 3}, team=""),
        _event("unknown-unit", at, "gpt-4o", {"input_tokens": 5000, "thoughts": 11}),
        _event("bound", at, "mystery-image", {"images": 4}),
        _event("free", at, "gift", {"requests": 9}),
        _event("pounds", at, "pounds", {"requests": 9}),
        _event("francs", FIRST + timedelta(days=4), "francs", {"requests": 7}),
        _event("hostile", at, "gpt-4o", {"input_tokens": 5000}, team=hostile, workflow=hostile, agent="+1"),
        _event(
            "reported", at, "gateway-model", {"input_tokens": 5000, "output_tokens": 10}, trustreportedcost=True,
            reported_cost=Amount(amount="0.0441195", currency="USD"),
        ),
    ]  # fmt: skip


def bills() -> list[UsageEvent]:
    """Rows of a bill: every category, one that is negative, one that nobody has a rate for."""
    amounts = {"contracted": "9", "effective": "7.5", "billed": "9", "quantity": "120000", "unit": "Requests"}
    credit = {"category": "credit", "details": _DETAILS}
    rows = [
        charge("12", "b-use", details=_DETAILS, description="reads, on demand", **amounts),
        charge("-3.25", "b-back", details=_DETAILS, quantity="20", unit="Requests"),
        charge(
            "100",
            "b-buy",
            effective="0",
            category="purchase",
            details=_DETAILS | {"ChargeFrequency": "One-Time"},
        ),
        charge("1.9", "b-tax", category="tax", details=_DETAILS),
        charge("-5", "b-credit", **credit),
        charge("0.7", "b-more", category="adjustment", details=_DETAILS),
        charge("8", "b-pound", currency="GBP", details=_DETAILS),
        charge("2", "b-then", correction=True, details=_DETAILS),
    ]
    at = CHANGE + timedelta(days=14)
    return [replace(row, time=at + timedelta(hours=number)) for number, row in enumerate(rows)]


def period_terms() -> list[PeriodTerm]:
    """GPUs that are paid for whether used or not, money that is to be spent, and searches that are free."""
    return [
        _term("commitment", "coreweave", ("gpu_hours",), quantity="100", amount="200"),
        _term("spend_commitment", "anthropic", (), quantity="2000", amount="1800"),
        _term("allowance", "openai", ("searches",), quantity="50"),
    ]


def _term(effect: str, provider: str, units: tuple[str, ...], **said: Any) -> PeriodTerm:
    said |= {"tenant": "acme", "layer": "contract", "source": "test", "recorded_at": RECORDED}
    begins = Conditions(effective_from=FIRST)
    return identified(PeriodTerm(effect=effect, provider=provider, units=units, when=begins, **said))  # type: ignore[arg-type]


async def book_months(book: ExportedBook, database_url: str) -> None:
    """September and October; corrected while they ran, after they had ended, and September after it was closed."""
    world = book.world
    await world.publish(*entries(), *period_terms())
    await world.book(*usage(), *bills())
    await book.recorded("true", "2026-10-16 00:00Z")
    await world.retract("m-gpt-4o-3")
    await world.retract("m-gpt-4o-35")
    await book.recorded("seq > 0", "2026-10-20 00:00Z")  # September had ended, October ran
    await _trued_up(book, CHANGE + timedelta(days=20))
    await ask_to_close(world.owner, FIRST.date())
    async with keeper_of(database_url) as keeper:
        await close_all(keeper)
    await world.retract("a-compute-7")
    await world.retract("m-llama-3.3-70b-8")
    await world.retract("a-database-41")
    await world.retract("b-use")
    await _amended(book, "m-gemini-2.5-pro-50", b'{"usage":{"output_tokens":100000}}')
    await world.rerate(await world.publish(adjustment("uplift", "1.1", provider="anthropic")))
    await _trued_up(book, BEYOND + timedelta(days=1))


async def _trued_up(book: ExportedBook, now: datetime) -> None:
    """Fold, and work out whatever periods of terms are due."""
    keeper = TrueUpKeeper(rests=0)
    await book.fold()
    while (await keeper.look(book.world.corrector, await book.world.standing(), now)).more:
        pass
    await book.fold()


async def _amended(book: ExportedBook, event_id: str, patch: bytes) -> None:
    standing = await book.world.standing()
    amend = EventCorrection(
        id=f"amend-{event_id}", tenant="acme", source="bot", event_id=event_id, kind="amend", patch=Raw(patch),
        reason="counted anew", by="ada", at=BEYOND,
    )  # fmt: skip
    intake = take_in(standing.position, [(standing.position, encode_correction(amend))])
    await Applier(log_ends=book.world.log_ends).take(book.world.corrector, standing, intake)
