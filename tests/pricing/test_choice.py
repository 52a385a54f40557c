"""Own traffic on another model, from sums. Amounts are worked out by hand, in US dollars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendmeter.contracts.catalog import CalendarEntry, CatalogEntry, Conditions, HoursWindow, Provider
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import total
from spendmeter.pricing.choice.growth import TokenGrowth
from spendmeter.pricing.choice.reprice import Pricing, reprice
from spendmeter.pricing.choice.traffic import CandidateModel, Portion, RepricedTraffic, Use
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import NOON, RECORDED, price, terms, used

LONG = Conditions(context_min=200_000)
BOOK = PriceBook(
    [
        # 3 and 15 a million, 0.3 for what is cached, twice as much beyond 200,000 tokens
        price("m", "input_tokens", "3"),
        price("m", "output_tokens", "15"),
        price("m", "cache_read_tokens", "0.3"),
        price("m", "input_tokens", "6", when=LONG),
        price("m", "output_tokens", "30", when=LONG),
        price("m", "cache_read_tokens", "0.6", when=LONG),
        price("m", "input_tokens", "1.5", when=Conditions(batch=True)),
        price("m", "input_tokens", "4", when=Conditions(tiers=("priority",))),
        # no price of a cache, and no cliff
        price("other", "input_tokens", "1"),
        price("other", "output_tokens", "4"),
        # a cliff of its own
        price("steep", "input_tokens", "1"),
        price("steep", "output_tokens", "4"),
        price("steep", "input_tokens", "2", when=Conditions(context_min=128_000)),
        price("in-only", "input_tokens", "1"),
        price("agreed", "input_tokens", "2"),
        price("agreed", "output_tokens", "2"),
        price("agreed", "input_tokens", "1", kind="contracted", layer="contract", contract="c1"),
        price("yen", "input_tokens", "1", currency="JPY"),
        price("yen", "output_tokens", "1", currency="JPY"),
        price("fee", "input_tokens", "1"),
        price("fee", "output_tokens", "1"),
        price("fee", "requests", "5000", per_event=True),
        price("caching", "input_tokens", "3"),
        price("caching", "cache_read_tokens", "0.3"),
        price("caching", "cache_write_5m_tokens", "3.75"),
        price("keeps", "input_tokens", "1"),
        price("keeps", "cache_write_12h_tokens", "2"),
        price("by-request", "requests", "5000", per_event=True),
        price("by-request", "low_context_requests", "6000"),
        price("listened", "audio_seconds", "100"),
        price("bargained", "audio_seconds", "100", minimum="10"),
        price(
            "bargained",
            "audio_seconds",
            "100",
            minimum="5",
            kind="contracted",
            layer="contract",
            contract="c1",
        ),
        price("heard", "audio_seconds", "100", minimum="10"),
        terms("acme", contracts=("c1",)),
        identified(Provider(provider="openai", source="test", recorded_at=RECORDED)),
    ]
)


def use(usage: dict[str, int], *, calls: int = 10, **said: Any) -> Use:
    portions = [Portion(unit=unit, quantity=Decimal(each), events=calls) for unit, each in usage.items()]
    return Use(**{"provider": "openai", "sku": "m"} | said, calls=calls, portions=tuple(portions))


def repriced(
    *uses: Use, on: str = "other", growth: TokenGrowth | None = None, tenant: str = "acme"
) -> RepricedTraffic:
    same = TokenGrowth(low=Decimal(1), high=Decimal(1), basis="tenant", source="")
    stated = {f"openai/{on}": growth or same}
    pricing = Pricing(book=BOOK, tenant=tenant, currency="USD", at=NOON, growth=stated)
    return reprice(uses, CandidateModel(provider="openai", sku=on), pricing)


def summed(events: Iterable[UsageEvent]) -> list[Use]:
    """As `cells` keeps them: by way of serving, unit and the entry by which it was booked."""
    found: dict[Any, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    calls: dict[Any, int] = defaultdict(int)
    for event in events:
        place = event.data.sku, event.data.context.service_tier, event.data.context.batch
        calls[place] += 1
        for line in rate(event, BOOK).lines:
            portion = found[place][line.unit, line.entry]
            portion[0] += event.data.usage[line.unit]
            portion[1] += 1
    return [
        Use(
            provider="openai", sku=place[0], tier=place[1], batch=place[2], calls=calls[place],
            portions=tuple(
                Portion(unit=unit, entry=entry, quantity=Decimal(quantity), events=events)
                for (unit, entry), (quantity, events) in portions.items()
            ),
        )
        for place, portions in found.items()
    ]  # fmt: skip


TOKENS = st.integers(0, 300_000)
EVENTS = st.lists(
    st.builds(
        lambda sku, usage, tier, batch: used("openai", sku, usage, service_tier=tier, batch=batch),
        st.sampled_from(["m", "other", "agreed"]),
        st.fixed_dictionaries({"input_tokens": TOKENS, "output_tokens": TOKENS, "cache_read_tokens": TOKENS}),
        st.sampled_from(["standard", "priority"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=20,
)


@given(EVENTS)
def test_the_same_model_is_the_same_money_whatever_tiers_cliffs_batches_and_contracts(
    events: list[UsageEvent],
) -> None:
    """The cells say by which entry each token was booked, so that its side of the cliff is known."""
    ratings = [rate(event, BOOK) for event in events]
    pricing = Pricing(book=BOOK, tenant="acme", currency="USD", at=NOON)
    found = reprice(summed(events), None, pricing)
    assert found.low == found.high == total(rating.effective for rating in ratings)
    assert found.list_low == found.list_high == total(rating.list for rating in ratings)
    assert (found.missing, found.calls) == ((), len(events))


@given(EVENTS, st.sampled_from(["other", "steep", "agreed"]))
def test_what_each_event_would_have_cost_there_lies_within_the_interval(
    events: list[UsageEvent], on: str
) -> None:
    true = total(
        rate(used("openai", on, each.data.usage, service_tier=each.data.context.service_tier,
                  batch=each.data.context.batch), BOOK).effective for each in events
    )  # fmt: skip
    found = repriced(*summed(events), on=on)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= true <= found.high


def test_cached_tokens_are_input_where_the_candidate_has_no_cache_and_it_is_said() -> None:
    """1 M uncached + 2 M cached at 1 a million, 0.5 M output at 4: 3 + 2."""
    found = repriced(
        use({"input_tokens": 1_000_000, "cache_read_tokens": 2_000_000, "output_tokens": 500_000})
    )
    assert found.low == found.high == 5
    assert "cache_read_tokens: it has no price of a cache for these: counted as input_tokens" in found.notes


def test_caching_is_kept_where_the_candidate_has_it() -> None:
    """From the other model: 1 M at 3 and 2 M cached at 0.3."""
    own = use(
        {"input_tokens": 1_000_000, "cache_read_tokens": 2_000_000}, sku="other", contexts=((0, 32_000),)
    )
    found = repriced(own, on="m")
    assert found.low == found.high == Decimal("3.6")
    assert not found.notes or all("cache" not in note for note in found.notes)


def test_what_it_has_no_price_for_is_named_and_there_is_no_amount() -> None:
    found = repriced(use({"input_tokens": 1_000, "output_tokens": 1}), on="in-only")
    assert found.missing == ("it has no price for output_tokens",)
    assert (found.low, found.high, found.list_low, found.list_high) == (None,) * 4
    assert repriced(use({"input_tokens": 1_000, "output_tokens": 0}), on="in-only").low == Decimal("0.001")
    assert repriced(use({"input_tokens": 1}), on="nobody").missing == (
        "nobody here knows a price of openai/nobody",
    )


def test_a_candidate_that_is_dearer_for_long_contexts_costs_an_interval_unless_no_call_was_long() -> None:
    """1 M input: 1 below its cliff of 128,000, and 2 beyond."""
    mixed = repriced(use({"input_tokens": 1_000_000}), on="steep")
    assert (mixed.low, mixed.high) == (1, 2)
    assert any("length of context" in note for note in mixed.notes)
    short = repriced(use({"input_tokens": 1_000_000}, contexts=((0, 128_000),)), on="steep")
    assert (short.low, short.high, short.notes[1:]) == (1, 1, ())
    long = repriced(use({"input_tokens": 1_000_000}, contexts=((128_001, None),)), on="steep")
    assert (long.low, long.high) == (2, 2)


def test_more_tokens_by_its_tokenizer_may_push_calls_over_the_cliff() -> None:
    """Up to 100,000 tokens become up to 135,000: 1 M x 1 at 1, at most 1.35 M at 2."""
    growth = TokenGrowth(low=Decimal(1), high=Decimal("1.35"), basis="tenant", source="our own count")
    found = repriced(use({"input_tokens": 1_000_000}, contexts=((0, 100_000),)), on="steep", growth=growth)
    assert (found.low, found.high) == (1, Decimal("2.7"))
    assert "1 to 1.35 times the tokens of text (our own count)" in found.notes[0]


def test_a_candidate_that_charges_for_writing_to_its_cache_may_charge_for_all_of_the_input() -> None:
    """Read from a cache are 2 M at 0.3; of 1 M more nobody says how much was written to it, at 3.75 instead of 3. Who
    writes says so, and who does not read has no cache."""
    reads = {"input_tokens": 1_000_000, "cache_read_tokens": 2_000_000}
    found = repriced(use(reads), on="caching")
    assert (found.low, found.high) == (Decimal("3.6"), Decimal("4.35"))
    [said] = [note for note in found.notes if "writes" in note]
    assert (
        said
        == "input_tokens: openai/m does not say what it writes to its cache: up to all of it, at the price of that"
    )
    found = repriced(use(reads | {"cache_write_5m_tokens": 1_000_000}), on="caching")
    assert found.low == found.high == Decimal("7.35")
    assert repriced(use({"input_tokens": 1_000_000}), on="caching").high == 3
    assert repriced(use(reads, sku="caching"), on="caching").high == Decimal("3.6")


def test_what_is_written_to_a_cache_is_text_too_however_long_it_is_kept() -> None:
    """1 M for 12 hours, up to 2 M by the other tokenizer: at 2 a million."""
    growth = TokenGrowth(low=Decimal(1), high=Decimal(2), basis="tenant", source="our own count")
    found = repriced(use({"cache_write_12h_tokens": 1_000_000}), on="keeps", growth=growth)
    assert (found.low, found.high) == (2, 4)


def test_a_contract_is_what_counts_and_the_list_stands_beside() -> None:
    """1 M at 1 agreed, 2 list; output has no contract: 1 M at 2."""
    found = repriced(use({"input_tokens": 1_000_000, "output_tokens": 1_000_000}), on="agreed")
    assert (found.low, found.list_low) == (3, 4)
    assert repriced(use({"input_tokens": 1_000_000}), on="agreed", tenant="globex").low == 2


def test_tiers_and_batches_stay_what_they_were() -> None:
    assert repriced(use({"input_tokens": 1_000_000}, batch=True, sku="other"), on="m").low == Decimal("1.5")
    assert repriced(use({"input_tokens": 1_000_000}, tier="priority", sku="other"), on="m").low == 4
    found = repriced(use({"input_tokens": 1_000_000}, batch=True))
    assert (found.low, "no price of it is for a batch: priced as any call" in found.notes) == (1, True)


def test_without_an_exchange_rate_it_is_not_comparable() -> None:
    assert repriced(use({"input_tokens": 1_000}), on="yen").missing == ("no exchange rate from JPY to USD",)


def test_what_the_candidate_charges_for_each_call_is_in_it() -> None:
    """10 calls at 5,000 a million are 0.05, beside 1 M input at 1."""
    assert repriced(use({"input_tokens": 1_000_000}), on="fee").low == Decimal("1.05")


def test_a_fee_of_ones_own_model_is_left_behind_and_that_is_said() -> None:
    own = use({"input_tokens": 1_000_000, "requests": 10}, sku="fee")
    found = repriced(own)
    assert (found.low, found.missing) == (1, ())
    assert "requests are charged by openai/fee for each call, and not here" in found.notes
    assert repriced(own, on="fee").low == Decimal("1.05")


def test_a_least_of_each_call_cannot_be_told_from_sums() -> None:
    [said] = repriced(use({"audio_seconds": 50}), on="heard").missing
    assert said == "audio_seconds: a call is billed for so many at least or at most, which sums cannot tell"


def booked(unit: str, quantity: int, *, calls: int, sku: str) -> Use:
    """As it is booked at the price that the model has now."""
    entry = rate(used("openai", sku, {unit: quantity}), BOOK).lines[0].entry
    portion = Portion(unit=unit, quantity=Decimal(quantity), events=calls, entry=entry)
    return Use(provider="openai", sku=sku, calls=calls, portions=(portion,))


def test_what_was_billed_as_a_least_is_no_quantity_of_another_model() -> None:
    """Ten calls of a second each were billed, and so kept, as 100 seconds: as it is 100 at 100 a million. Elsewhere they
    would be 10, which the sum does not say."""
    own = booked("audio_seconds", 100, calls=10, sku="heard")
    pricing = Pricing(book=BOOK, tenant="acme", currency="USD", at=NOON)
    assert reprice([own], None, pricing).low == Decimal("0.01")
    found = repriced(own, on="listened")
    assert (found.low, found.high) == (None, None)
    assert found.missing == (
        "audio_seconds: openai/heard bills so many at least or at most of a call, so sums do not tell how much it was",
    )


def test_a_contract_with_another_least_than_the_list_is_no_sum_of_what_the_list_billed() -> None:
    """A call of a second: 10 by list, 5 as agreed. Kept is what the list bills."""
    found = reprice(
        [booked("audio_seconds", 100, calls=10, sku="bargained")],
        None,
        Pricing(book=BOOK, tenant="acme", currency="USD", at=NOON),
    )
    assert found.low is None
    assert found.missing == (
        "audio_seconds: a call is billed for so many at least or at most, which sums cannot tell",
    )


def test_calls_that_say_themselves_what_a_fee_is_for_are_counted_whatever_prices_they_were_booked_at() -> (
    None
):
    """Of ten calls four say that their context was low, at 3 by one price and 1 by the next: four times that, and six
    or ten requests at 5,000 a million: 4 at 6,000 + 6 or 10 at 5,000."""
    portions = [
        Portion(unit="low_context_requests", quantity=Decimal(count), events=count, entry=entry)
        for count, entry in ((3, "then"), (1, "now"))
    ]
    own = Use(provider="openai", sku="m", calls=10, portions=tuple(portions))
    found = repriced(own, on="by-request")
    assert (found.low, found.high) == (Decimal("0.054"), Decimal("0.074"))


@pytest.mark.parametrize("quantity", [0, -5])
def test_what_was_taken_back_costs_nothing(quantity: int) -> None:
    assert repriced(use({"output_tokens": quantity}), on="in-only").low == 0


def test_prices_by_the_hour_are_an_interval_over_a_week_unless_the_booked_price_says_which(
    book: PriceBook,
) -> None:
    """deepseek-chat of the shipped catalog, by its hours: of a portion that was booked off-peak, that price; of one that
    another model was used for, from the cheapest hour to the dearest."""
    at = NOON.replace(year=2025, month=8, day=20)
    pricing = Pricing(book=book, tenant="acme", currency="USD", at=at)
    event = used("deepseek", "deepseek-chat", {"output_tokens": 1_000_000}, at=at.replace(hour=18))
    [line] = rate(event, book).lines
    portion = Portion(unit="output_tokens", quantity=Decimal(1_000_000), events=1, entry=line.entry)
    own = Use(provider="deepseek", sku="deepseek-chat", calls=1, portions=(portion,))
    found = reprice([own], None, pricing)
    assert found.low == found.high == Decimal(line.amount or "") == Decimal("0.55")
    unknown = Use(provider="deepseek", sku="deepseek-chat", calls=1, portions=(Portion(
        unit="output_tokens", quantity=Decimal(1_000_000), events=1),))  # fmt: skip
    found = reprice([unknown], None, pricing)
    assert (found.low, found.high) == (Decimal("0.55"), Decimal("1.1"))


@pytest.mark.parametrize("since", [timedelta(days=2), timedelta(minutes=30)])
def test_of_prices_by_the_hour_those_in_force_count_and_not_those_of_last_week(since: timedelta) -> None:
    """A million output tokens were 1 until lately, and are 2, or 4 from 6 to 9 o'clock: what they cost now is 2 to 4."""
    began = NOON - since
    peak = (HoursWindow(start="06:00", end="09:00"),)
    entries: list[CatalogEntry] = [
        price("hourly", "output_tokens", "1", when=Conditions(effective_to=began)),
        price("hourly", "output_tokens", "2", when=Conditions(effective_from=began)),
        price(
            "hourly",
            "output_tokens",
            "4",
            when=Conditions(effective_from=began, calendar="utc", windows=peak),
        ),
        identified(CalendarEntry(name="utc", time_zone="UTC", source="test", recorded_at=RECORDED)),
        identified(Provider(provider="openai", source="test", recorded_at=RECORDED)),
    ]
    pricing = Pricing(book=PriceBook(entries), tenant="acme", currency="USD", at=NOON)
    found = reprice([use({"output_tokens": 1_000_000}, sku="hourly")], None, pricing)
    assert (found.low, found.high) == (2, 4)
