"""The demo's story: which events an hour has, that they are always the same, and what happens in it."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from deploy.demo.bill import LABELS, bill
from deploy.demo.chatter import Chatter
from deploy.demo.provider_bill import provider_bill
from deploy.demo.rhythm import Hours, share_of_day
from deploy.demo.story import HOUR, STORY, WORKS, Happened, between, hour_of, negotiated
from deploy.demo.tenants import DATA
from services.api.imports.focus import RULES
from services.api.imports.label_sources import label_sources
from services.api.imports.rows import BilledRow, RowReader
from services.api.invoices.pages import read_bill
from spendmeter.contracts.catalog import PeriodTerm, TenantTerms
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.gate import check_rules
from spendmeter.contracts.outcomes import OUTCOME_TYPE, read_outcome
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook

FIRST_DAY = date(2026, 11, 27)
MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)


def day(number: int) -> datetime:
    """The beginning of a day of the story."""
    return MIDNIGHT + timedelta(days=number)


@cache
def told(first: int, last: int) -> list[Happened]:
    """What happened from the one day on, until the other."""
    return list(between(day(first), day(last), FIRST_DAY))


def usage(first: int, last: int, workflow: str, tenant: str = "acme") -> list[dict[str, Any]]:
    return [
        event["data"]
        for _, of, event in told(first, last)
        if of == tenant
        and event["type"] != OUTCOME_TYPE
        and event["data"]["labels"].get("workflow") == workflow
    ]


@cache
def book() -> PriceBook:
    """The shipped catalog, and the terms that the first tenants are made with."""
    discounts = negotiated(MIDNIGHT)
    terms = [
        TenantTerms(
            tenant=tenant,
            fallback=DATA.fallback,
            contracts=tuple(each.contract for each in discounts if each.tenant == tenant),
            source="setup",
            recorded_at=MIDNIGHT,
        )
        for tenant in DATA.tenants
    ]
    return PriceBook([*load_snapshot(), *map(identified, [*terms, *discounts])])


def costs(first: int, last: int) -> Iterator[tuple[str, str, Decimal]]:
    """Tenant, workflow or sku, and what an event costs."""
    for _, tenant, event in told(first, last):
        if event["type"] != OUTCOME_TYPE:
            data = event["data"]
            rated = rate(read_event(msgspec.json.encode(event | {"tenant": tenant})), book())
            assert rated.effective is not None
            yield tenant, data["labels"].get("workflow", data["sku"]), rated.effective


@pytest.mark.parametrize("hours", ["office", "shop", "always"])
def test_a_full_weekday_has_all_of_its_work_and_a_weekend_less(hours: Hours) -> None:
    tuesday, sunday = datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    shares = [share_of_day(hours, tuesday + HOUR * at) for at in range(24)]
    assert sum(shares) == pytest.approx(1)
    assert max(shares[11:18]) == max(shares)
    assert sum(share_of_day(hours, sunday + HOUR * at) for at in range(24)) < 0.9


def test_offices_are_empty_at_night_by_their_own_clock() -> None:
    calls: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for at, tenant, event in told(-3, 0):
        if event["data"]["labels"].get("workflow") in ("fix-test", "review-clause"):
            calls[tenant][at.hour] += 1
    assert calls["globex"].most_common(1)[0][0] in range(8, 16)  # Berlin: an hour before UTC's clock
    assert calls["initech"].most_common(1)[0][0] in range(17, 24)  # Los Angeles: eight hours after it
    assert sum(calls["initech"][hour] for hour in range(8, 13)) < sum(calls["initech"].values()) / 10


def test_an_hour_is_always_the_same_and_no_other_has_its_ids() -> None:
    first, again = hour_of(day(-5) + 9 * HOUR, FIRST_DAY), hour_of(day(-5) + 9 * HOUR, FIRST_DAY)
    assert first == again
    assert first
    ids = Counter((tenant, event["id"]) for _, tenant, event in told(-14, 0))
    assert max(ids.values()) == 1


def test_what_is_asked_for_in_pieces_is_what_is_asked_for_at_once() -> None:
    cuts = [day(-1), day(-1) + timedelta(minutes=7), day(-1) + timedelta(hours=5, seconds=1), day(0)]
    pieces = [each for at, until in pairwise(cuts) for each in between(at, until, FIRST_DAY)]
    assert pieces == told(-1, 0)
    assert all(cuts[0] < at <= cuts[-1] for at, _, _ in pieces)


def test_no_event_is_of_another_hour_than_its_own() -> None:
    for number in range(24):
        hour = day(-12) + number * HOUR  # in the leak runs are long
        assert all(hour <= at < hour + HOUR for at, _, _ in hour_of(hour, FIRST_DAY))


def test_every_event_passes_the_gate_that_ingest_holds() -> None:
    for _, tenant, event in told(-13, -11):
        raw = msgspec.json.encode(event | {"tenant": tenant})
        if event["type"] == OUTCOME_TYPE:
            read_outcome(raw)
        else:
            check_rules(read_event(raw), plain=False)


def test_two_weeks_are_some_thousand_events_and_only_one_model_is_unknown() -> None:
    assert 10_000 < len(told(-14, 0)) < 18_000
    unpriced = {
        event["data"]["sku"]
        for _, tenant, event in told(-6, 0)
        if event["type"] != OUTCOME_TYPE
        and rate(read_event(msgspec.json.encode(event | {"tenant": tenant})), book()).status == "provisional"
    }
    assert unpriced == {"mistral-atlas-preview"}


def test_the_refund_workflow_is_reimagined_half_way() -> None:
    versions = [{data["labels"]["workflow_version"] for data in usage(*days, "refund")} for days in
                ((-31, -30), (-30, -27), (-27, -26))]  # fmt: skip
    assert versions == [{"v1"}, {"v1", "v2"}, {"v2"}]
    before, after = (
        {d["labels"]["run"] for d in usage(*days, "refund")} for days in ((-40, -31), (-26, -17))
    )
    assert len(usage(-40, -31, "refund")) == 3 * len(before)  # calls of a run
    assert len(usage(-26, -17, "refund")) == len(after)


def test_a_leak_of_three_days_is_repaired() -> None:
    spent: dict[int, Decimal] = {}
    for number in (-19, -12, -11, -10, -9, -5):
        spent[number] = sum(
            (
                cost
                for tenant, of, cost in costs(number, number + 1)
                if (tenant, of) == ("acme", "answer-ticket")
            ),
            Decimal(0),
        )
    assert all(spent[number] > 8 * spent[-19] for number in (-12, -11, -10)), spent
    assert spent[-9] < 2 * spent[-19]
    assert {data["performance"]["status"] for data in usage(-11, -10, "answer-ticket")} == {"ok", "error"}
    assert not any("cache_read_tokens" in data["usage"] for data in usage(-11, -10, "answer-ticket"))


def test_a_negotiated_price_holds_from_its_day_on() -> None:
    event = {
        "specversion": "1.0", "type": "spendmeter.usage.v1", "id": "1", "source": "s", "subject": "s",
        "tenant": "acme",
        "data": {"provider": "anthropic", "sku": "claude-opus-4-5", "usage": {"input_tokens": 1_000_000}},
    }  # fmt: skip
    rated = {
        number: rate(read_event(msgspec.json.encode(event | {"time": day(number).isoformat()})), book())
        for number in (-21, -20)
    }
    assert rated[-21].effective == 5  # a million at 5
    assert rated[-20].effective == Decimal("4.5")  # less a tenth
    assert rated[-20].list == 5


def test_a_day_of_the_story_costs_what_a_small_company_spends() -> None:
    """A workday of Acme's is some tens of dollars, so that its budgets mean something."""
    spent = sum((cost for tenant, _, cost in costs(-3, -2) if tenant == "acme"), Decimal(0))
    assert 25 < spent < 80


def test_small_calls_beside_it_cost_next_to_nothing() -> None:
    chatter = Chatter(run="c")
    calls = [each for second in range(60) for each in chatter.take(MIDNIGHT + timedelta(seconds=second), 1.0)]
    assert len(calls) == 60 * 75
    spent = sum(
        (
            rate(read_event(msgspec.json.encode(event | {"tenant": tenant})), book()).effective or Decimal(0)
            for tenant, event in calls
        ),
        Decimal(0),
    )
    assert spent * 60 < Decimal("0.1")  # an hour of it


def test_what_the_story_changes_and_says_is_about_what_is_in_it() -> None:
    workflows = {(work.tenant, work.workflow) for work in WORKS}
    assert all((change.tenant, change.workflow) in workflows for change in STORY.changes)
    assert {act.tenant for act in STORY.acts} <= DATA.tenants.keys()
    teams = {(work.tenant, work.team) for work in WORKS}
    assert all(
        (budget.tenant, budget.filter["team"]) in teams for budget in STORY.budgets if "team" in budget.filter
    )


def test_the_bill_of_the_story_is_read_whole_and_says_whose_most_of_it_is() -> None:
    first = date(2026, 9, 28)
    how = label_sources([LABELS])
    rows = list(csv.DictReader(io.StringIO(bill(first, FIRST_DAY).decode())))
    read = [RowReader(how, RULES).read(f"line {at}", row)[-1] for at, row in enumerate(rows)]
    assert len(read) == 60 * 4  # days, services
    assert all(isinstance(each, BilledRow) for each in read), read[0]
    assert bill(first, FIRST_DAY) == bill(first, FIRST_DAY)
    assert {row["SubAccountName"] for row in rows} == {"data", "search", "web", ""}


def test_what_openai_charged_is_what_acme_booked_and_a_dollar_and_ten_that_nobody_metered() -> None:
    # 400,000 tokens in at 1.25 a million and 60,000 out at 10: 0.50 and 0.60, of the one day.
    read = read_bill("openai", io.BytesIO(provider_bill(FIRST_DAY, 7)))
    assert read.notes == ()
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for row in read.rows:
        billed[row.model] += row.amount or 0
    booked: dict[str, Decimal] = defaultdict(Decimal)
    for _, tenant, event in told(-7, 0):
        if tenant == "acme" and event["data"].get("provider") == "openai":
            rated = rate(read_event(msgspec.json.encode(event | {"tenant": tenant})), book())
            booked[event["data"]["sku"]] += rated.contracted or 0
    assert {model: round(amount - booked[model], 9) for model, amount in billed.items() if amount} == {
        "gpt-5": Decimal("1.1"), "gpt-5-mini": 0, "gpt-4o": 0, "text-embedding-3-small": 0
    }  # fmt: skip


def test_what_acme_committed_to_is_used_for_the_most_part_and_not_whole() -> None:
    [term] = [each for each in negotiated(MIDNIGHT) if isinstance(each, PeriodTerm)]
    used = sum(
        amount for tenant, name, amount in costs(-30, 0) if (tenant, name) == ("acme", "serverless-standard")
    )
    assert Decimal(term.quantity) * Decimal("0.8") < used < Decimal(term.quantity)
