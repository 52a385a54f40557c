"""Ways of serving: how tiers and regions are written, and what a price for a region or its group costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendmeter.contracts.catalog import CatalogEntry, Conditions, Spelling
from spendmeter.contracts.events import Context
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.conditions import CatalogError, Served
from spendmeter.pricing.explain import contests, naming
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.spellings import REMEMBERED_MAX, Spellings
from spendmeter.pricing.words import entry_in_words
from tests.pricing.entries import adjustment, price, rated, spelling, used

MILLION = {"input_tokens": 1_000_000}
INPUT = price("m", "input_tokens", "2")
SHIPPED = Spellings(entry for entry in load_snapshot("none") if isinstance(entry, Spelling))


def region(*names: str) -> Conditions:
    return Conditions(regions=names)


STANDARD, FLEX, PRIORITY, PROVISIONED = "standard", "flex", "priority", "provisioned"


@pytest.mark.parametrize(
    ("provider", "written", "batch", "tier"),
    [
        ("openai", "", False, STANDARD),
        ("openai", "default", False, STANDARD),
        ("openai", "auto", False, STANDARD),
        ("openai", "Auto", False, STANDARD),
        ("openai", "flex", False, FLEX),
        ("openai", "priority", False, PRIORITY),
        ("openai", "scale", False, "scale"),
        ("openai", "batch", True, STANDARD),
        ("openai", " Batch ", True, STANDARD),
        ("anthropic", "standard", False, STANDARD),
        ("anthropic", "standard_only", False, STANDARD),
        ("anthropic", "priority", False, PRIORITY),
        ("anthropic", "fast", False, "fast"),
        ("google", "ON_DEMAND", False, STANDARD),
        ("google", "ON_DEMAND_FLEX", False, FLEX),
        ("google", "ON_DEMAND_PRIORITY", False, PRIORITY),
        ("google", "PROVISIONED_THROUGHPUT", False, PROVISIONED),
        ("google", "TRAFFIC_TYPE_UNSPECIFIED", False, STANDARD),
        ("google", "unspecified", False, STANDARD),
        ("aws", "on-demand", False, STANDARD),
        ("aws", "reserved", False, PROVISIONED),
        ("aws", "flex", False, FLEX),
        ("groq", "on_demand", False, STANDARD),
        ("groq", "flex", False, STANDARD),  # at the price of on_demand
        ("groq", "performance", False, PROVISIONED),
        ("azure", "GlobalStandard", False, STANDARD),
        ("azure", "Standard", False, STANDARD),
        ("azure", "DataZoneStandard", False, "data-zone"),
        ("azure", "DataZoneBatch", False, "data-zone-batch"),
        ("azure", "GlobalBatch", True, STANDARD),
        ("azure", "ProvisionedManaged", False, PROVISIONED),
        ("azure", "GlobalProvisionedManaged", False, PROVISIONED),
        ("azure", "DataZoneProvisionedManaged", False, PROVISIONED),
        ("x-ai", "default", False, STANDARD),
        ("nobody", "default", False, STANDARD),
        ("openai", "fleex", False, "fleex"),
        ("openai", "on_demand_flex", False, "on_demand_flex"),  # Google's word alone
    ],
)
def test_a_tier_is_read_as_its_vendor_writes_it(provider: str, written: str, batch: bool, tier: str) -> None:
    by = SHIPPED.served(provider, Context(service_tier=written))
    assert (by.batch, by.tier) == (batch, tier)


@pytest.mark.parametrize(
    ("provider", "written", "group"),
    [
        ("google", "us-east5", "regional"),
        ("google", "europe-west4", "regional"),
        ("google", "EU", "regional"),
        ("google", "us", "regional"),
        ("google", "global", ""),
        ("google", "Global", ""),
        ("google", "", ""),
        ("anthropic", "us", None),
        ("anthropic", "global", ""),
        ("anthropic", "not_available", ""),
        ("openai", "eu", "resident"),
        ("openai", "US", "resident"),
        ("openai", "mars", None),
        ("azure", "brazilsouth", "regional"),
        ("azure", "swedencentral", "in-eu"),
        ("azure", "eastus2", "in-us"),
        ("azure", "japaneast", "in-apac"),
        ("azure", "EU Data Zone", "data-zone-eu"),
        ("azure", "dzeu", "data-zone-eu"),
        ("azure", "Data Zone", "data-zone"),
        ("azure", "DataZone-APAC", "data-zone-apac"),
        ("azure", "eu", "zone-eu"),  # no region of Azure's: how LiteLLM writes its data zone
        ("azure", "usgovvirginia", "us-government"),
        ("azure", "Global", ""),
        ("aws", "us-east-1", "regional"),
        ("aws", "apac", "regional"),
        ("aws", "global", ""),
        ("nobody", "global", ""),
        ("nobody", "us", None),
    ],
)
def test_a_region_stays_itself_and_belongs_to_a_group(provider: str, written: str, group: str | None) -> None:
    by = SHIPPED.served(provider, Context(region=written))
    assert (by.region, by.group) == (written.lower(), group)


def test_a_price_for_a_region_goes_before_one_for_its_group_and_that_before_one_for_any() -> None:
    regional = spelling("region", "regional", "us-*", "eu-*", provider="openai")
    entries = [
        INPUT,
        price("m", "input_tokens", "2.2", when=region("regional")),
        price("m", "input_tokens", "2.6", when=region("eu-west")),
        regional,
    ]
    for written, cost in (
        ("us-east", "2.2"),
        ("EU-WEST", "2.6"),
        ("eu-north", "2.2"),
        ("asia", "2"),
        ("", "2"),
    ):
        assert rated([*entries], MILLION, region=written).list == Decimal(cost)


def test_a_factor_for_a_region_goes_before_one_for_its_group() -> None:
    entries = [
        INPUT,
        adjustment("residency", "1.1", when=region("regional")),
        adjustment("residency", "1.3", when=region("eu-west")),
        spelling("region", "regional", "*"),
        spelling("region", "", "global"),
    ]
    for written, cost in (("us-east", "2.2"), ("eu-west", "2.6"), ("global", "2"), ("", "2")):
        assert rated([*entries], MILLION, region=written).list == Decimal(cost)


def test_a_price_for_no_stated_region_is_for_one_that_says_nothing() -> None:
    stated = price("m", "input_tokens", "1.5", when=region("", "us-east-1"))
    entries: list[CatalogEntry] = [INPUT, stated, spelling("region", "", "global")]
    for written, cost in (("", "1.5"), ("us-east-1", "1.5"), ("global", "1.5"), ("mars", "2")):
        assert rated([*entries], MILLION, region=written).list == Decimal(cost)
    entries.append(price("m", "input_tokens", "1.4", when=region("global")))
    assert rated(entries, MILLION, region="Global").list == Decimal("1.4")


def test_it_is_explained_that_the_region_itself_goes_first() -> None:
    group = price("m", "input_tokens", "2.2", when=region("regional"))
    itself = price("m", "input_tokens", "2.6", when=region("eu"))
    book = PriceBook([group, itself, spelling("region", "regional", "*")])
    (listed,) = contests(used("openai", "m", MILLION, region="EU"), book, "input_tokens")
    assert (listed.entry, listed.losers[0].reason) == (
        itself.id, f"less specific: for a group of regions, and entry {itself.id} for this one itself",
    )  # fmt: skip


def test_the_longer_match_decides_and_a_providers_own_before_everybodys() -> None:
    rules = Spellings(
        [
            spelling("region", "anybodys", "us*"),
            spelling("region", "own", "us*", provider="openai"),
            spelling("region", "longer", "us-east*"),
            spelling("region", "digit", "us-east-#"),
            spelling("region", "exact", "us-east-1", provider="aws"),
        ]
    )
    for provider, written, group in (
        ("openai", "us-1", "own"),
        ("aws", "us-1", "anybodys"),
        ("openai", "us-east-a", "longer"),
        ("openai", "us-east-2", "digit"),
        ("aws", "us-east-1", "exact"),
        ("aws", "eu", None),
    ):
        assert rules.served(provider, Context(region=written)).group == group


def test_what_a_spelling_excepts_is_left_to_the_others() -> None:
    rules = Spellings(
        [
            spelling("region", "regional", "*", unless=("global", "asia*")),
            spelling("region", "far", "as*"),
        ]
    )
    groups = [
        rules.served("", Context(region=written)).group for written in ("us", "global", "asia-1", "ask")
    ]
    assert groups == ["regional", None, "far", "far"]


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([spelling("region", "a", "us*"), spelling("region", "b", "*us")], r"both spell a region like .*, as "),
        ([spelling("region", "a", "us"), spelling("region", "b", "us")], "both spell a region"),
        ([spelling("tier", "a", "x#"), spelling("tier", "b", "x#")], "both spell a tier"),
        ([spelling("tier", "flex", "slow"), spelling("tier", "cheap", "flex")], "the tier 'flex' is itself a spelling of 'cheap'"),
        ([spelling("tier", "Flex", "slow")], "lower case"),
        ([spelling("tier", "flex", "Slow")], "must be lower case"),
        ([spelling("tier", "flex", "slow", provider="OpenAI")], "lower case"),
    ],
)  # fmt: skip
def test_spellings_that_could_be_read_in_two_ways_are_refused_with_both_named(
    entries: list[Any], reason: str
) -> None:
    with pytest.raises(CatalogError, match=reason) as refused:
        PriceBook(entries)
    assert entries[0].id in str(refused.value) or "must be" in reason


def test_rules_of_one_length_may_stand_together_where_no_name_is_like_both() -> None:
    Spellings([spelling("region", "a", "us*"), spelling("region", "b", "eu*")])
    Spellings([spelling("region", "a", "us*", unless=("us-gov*",)), spelling("region", "b", "us-gov*")])
    Spellings([spelling("region", "a", "us*"), spelling("region", "b", "us*", provider="aws")])
    Spellings([spelling("region", "a", "us*"), spelling("tier", "b", "us*")])
    Spellings([spelling("region", "a", "*us", "us*")])


def test_every_shipped_tier_is_spelled_as_itself() -> None:
    for provider in ("", "anthropic", "aws", "azure", "google", "groq", "openai"):
        for tier in (FLEX, PRIORITY, PROVISIONED, "fast", "data-zone"):
            read = SHIPPED.served(provider, Context(service_tier=tier)).tier
            assert read == tier or (provider, tier) == ("groq", FLEX)


def test_senders_cannot_fill_the_memory_with_names_of_their_own() -> None:
    rules = Spellings()
    for number in range(REMEMBERED_MAX + 5):
        assert rules.served("", Context(region=f"R-{number}")) == Served(False, STANDARD, f"r-{number}", None)
    assert len(rules._served) <= REMEMBERED_MAX


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["", "google", "azure", "openai"]))
def test_whatever_is_written_is_read_and_the_letter_case_says_nothing(
    tier: str, region: str, by: str
) -> None:
    read = SHIPPED.served(by, Context(service_tier=tier, region=region))
    assert read == SHIPPED.served(by, Context(service_tier=tier.lower(), region=region.lower()))
    again = SHIPPED.served(by, Context(service_tier=read.tier, region=read.region, batch=read.batch))
    assert again == read


def test_it_is_told_how_a_way_of_serving_is_read_and_by_which_entry() -> None:
    flex, group = (
        spelling("tier", "flex", "on_demand_flex"),
        spelling("region", "regional", "us*", unless=("usa",)),
    )
    nowhere, unpriced = spelling("region", "", "global"), spelling("region", "far", "mars")
    priced = price("m", "input_tokens", "2.2", when=region("regional"))
    book = PriceBook([INPUT, priced, flex, group, nowhere, unpriced])

    def told(**context: Any) -> tuple[str, ...]:
        return naming("acme", used("openai", "m", MILLION, **context).data, book)

    assert told(service_tier="ON_DEMAND_FLEX", region="US-1") == (
        f"tier 'ON_DEMAND_FLEX' means flex, says entry {flex.id}",
        f"region 'US-1' is one of the regional regions, says entry {group.id}",
    )
    assert told(region="Global") == (f"region 'Global' says nothing of where, says entry {nowhere.id}",)
    assert told(service_tier="flex", region="usa") == told(region="mars") == told() == ()
    assert [entry_in_words(each) for each in (flex, group, nowhere)] == [
        "a tier like on_demand_flex means flex",
        "a region like us*, but for usa, is one of the regional regions",
        "a region like global says nothing of where",
    ]
