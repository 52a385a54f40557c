"""The catalog contract and the shipped catalog."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from genai_prices import data

from spendmeter.contracts import catalog
from spendmeter.contracts.catalog import (
    CatalogEntry,
    Conditions,
    HoursWindow,
    Model,
    Price,
    Publication,
    decode_catalog,
    encode_catalog,
)
from spendmeter.contracts.entry_ids import entry_id, published
from spendmeter.pricing.catalog import PUBLIC, genai, load_public, load_snapshot
from spendmeter.pricing.catalog.files import write_jsonl
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.names import model_names
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import price, used

EXAMPLES = sorted((Path(catalog.__file__).parent / "examples").glob("catalog.*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_golden_example_is_read_with_the_id_that_it_claims(path: Path) -> None:
    record = decode_catalog(path.read_bytes())
    assert msgspec.json.decode(encode_catalog(record)) == msgspec.json.decode(path.read_bytes())
    assert isinstance(record, Publication) or record.id == entry_id(record)


def test_there_is_an_example_of_every_kind() -> None:
    kinds = {type(decode_catalog(path.read_bytes())) for path in EXAMPLES}
    assert kinds == {*CatalogEntry.__args__, Publication}


def test_an_id_is_of_what_an_entry_says_however_it_is_written() -> None:
    entry = price("m", "input_tokens", "2", when=Conditions(tiers=("flex",), windows=(HoursWindow(),)))
    defaults_spelled = (
        b'{"type":"spendmeter.catalog.price.v1","currency":"USD","kind":"list","minimum":"0","per":1000000,'
        b'"provider":"openai","sku":"m","unit":"input_tokens","price":"2","layer":"public","source":"another",'
        b'"recorded_at":"2026-01-01T00:00:00+01:00","when":{"tiers":["flex"],"windows":[{"start":"00:00"}]}}'
    )
    assert entry_id(decode_catalog(defaults_spelled)) == entry.id
    assert entry_id(published(entry, 7)) == entry.id
    assert price("m", "input_tokens", "2.1").id != price("m", "input_tokens", "2").id


@pytest.mark.parametrize("text", ["1.0", "01", "1e3", "NaN", "-1", "", ".5", "1.", "1\n", "1_000"])
def test_a_price_has_one_spelling(text: str) -> None:
    raw = encode_catalog(price("m", "input_tokens", text))
    with pytest.raises(msgspec.ValidationError):
        decode_catalog(raw)


def test_the_snapshot_is_what_a_fresh_import_writes(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "fresh.jsonl", genai.header(), genai.lines(data.providers))
    assert (tmp_path / "fresh.jsonl").read_bytes() == PUBLIC.read_bytes()


def as_published(said: Any) -> Any:
    """What the package holds, as its data.json says it: no nulls, no extractors."""
    if isinstance(said, list):
        return [as_published(each) for each in said]
    if not isinstance(said, dict) and not hasattr(said, "__dict__"):
        return said
    named = said if isinstance(said, dict) else vars(said)
    return {
        name.rstrip("_"): as_published(value)
        for name, value in named.items()
        if value is not None and name != "extractors" and not name.startswith("_")
    }


PUBLISHED = msgspec.json.Encoder(decimal_format="number").encode(as_published(data.providers))
RECORDED = datetime(2026, 11, 23, tzinfo=UTC)


def test_what_genai_prices_publishes_is_read_as_it_is() -> None:
    read = read_prices("data.json", PUBLISHED, recorded_at=RECORDED)
    assert {entry.id for entry in read} == {entry.id for entry in load_public()}


@pytest.mark.parametrize("text", ["[", "[1]", "[{}]", '[{"id": 1}]', "[" * 100_000, "[null]"])
def test_what_is_no_list_of_providers_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match=r"data\.json"):
        read_prices("data.json", text.encode(), recorded_at=RECORDED)


@pytest.mark.parametrize(
    ("was", "becomes", "reasons"),
    [
        (b'"input_mtok"', b'"input_mgram"', ["data.json"]),
        (b'"processing":"batch"', b'"processing":"slow"', ["data.json", "/", "no way to say", "slow"]),
        (b'"start_time"', b'"time"', ["data.json"]),
    ],
)
def test_what_it_publishes_and_we_cannot_say_is_refused_as_a_whole(
    was: bytes, becomes: bytes, reasons: list[str]
) -> None:
    assert was in PUBLISHED
    with pytest.raises(CatalogError) as refused:
        read_prices("data.json", PUBLISHED.replace(was, becomes), recorded_at=RECORDED)
    print(refused.value)
    assert [reason for reason in reasons if reason not in str(refused.value)] == []


def test_the_shipped_catalog_is_a_price_book_and_loads_fast() -> None:
    began = time.process_time()
    entries = load_snapshot()
    PriceBook(entries)
    assert time.process_time() - began < 2  # measured 0.25 s; a busy machine may take its time
    assert len({entry.id for entry in entries}) == len(entries) > 10_000


def test_one_providers_part_of_the_snapshot_is_the_same_entries() -> None:
    def theirs(entries: list[CatalogEntry]) -> set[str]:
        return {entry.id for entry in entries if isinstance(entry, Price) and entry.provider == "openai"}

    assert theirs(load_snapshot("openai")) == theirs(load_snapshot())


DJINN = """
source = "https://djinn.example/prices"
recorded_at = 2026-11-23T00:00:00Z

[[unit]]
unit = "wishes"
about = "wishes granted"

[[calendar]]
name = "baghdad"
time_zone = "Asia/Baghdad"
holidays = ["2026-11-20"]

[[provider]]
provider = "djinn"
match = ["*djinn*"]

[[model]]
provider = "djinn"
sku = "lamp-2"
aliases = ["lamp"]

[[model.rates]]
per = 1
prices = { wishes = "3" }

[[model.rates]]
per = 1
when = { calendar = "baghdad", windows = [{ days = [1, 2, 3, 4, 5], start = "08:00", end = "18:00" }] }
prices = { wishes = "5" }
"""


def test_a_new_provider_with_a_unit_and_a_calendar_of_its_own_is_one_file() -> None:
    book = PriceBook(read_prices("djinn.toml", DJINN.encode()))

    def cost(at: datetime) -> Decimal:
        return rate(used("eu.djinn.example", "LAMP", {"wishes": 2}, at=at), book).list

    assert cost(datetime(2026, 11, 19, 5, tzinfo=UTC)) == 10  # Thursday, 8:00 in Baghdad
    assert cost(datetime(2026, 11, 19, 4, 59, 59, tzinfo=UTC)) == 6
    assert cost(datetime(2026, 11, 20, 9, tzinfo=UTC)) == 6  # a holiday


SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile"


@pytest.mark.parametrize(
    ("spelling", "price", "match"),
    [
        (SONNET, "0.0000033", "anthropic.claude-sonnet-4-5-20250929*"),  # in one region: as dear as several
        (f"us.{SONNET}", "0.0000033", "*us.anthropic.claude-sonnet-4-5-20250929*"),
        (f"eu.{SONNET}", "0.0000033", "*eu.anthropic.claude-sonnet-4-5-20250929*"),
        (f"global.{SONNET}", "0.000003", f"global.{SONNET}"),
        (f"{PROFILE}/eu.{SONNET}", "0.0000033", "*eu.anthropic.claude-sonnet-4-5-20250929*"),
        (f"{PROFILE}/global.{SONNET}", "0.000003", "*global.anthropic.claude-sonnet-4-5-20250929*"),
        (
            f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}",
            "0.0000033",
            "arn:*:foundation-model/anthropic.claude-sonnet-4-5-20250929*",
        ),
    ],
)
def test_bedrocks_spellings_of_a_model_have_their_prices_and_a_reason(
    book: PriceBook, spelling: str, price: str, match: str
) -> None:
    (line,) = rate(used("bedrock", spelling, {"input_tokens": 1}), book).lines
    assert (line.price, line.status) == (price, "priced")
    entries = {entry.id: entry for entry in load_snapshot("aws")}
    names = model_names(e for e in entries.values() if isinstance(e, Model) and e.provider == "aws")
    claim = names.exactly(spelling.lower()) or names.like(spelling.lower())
    assert claim is not None
    assert claim[1] == match
    decided = entries[line.entry]
    assert isinstance(decided, Price)
    assert claim[0] == decided.sku
    named = entries[claim[2]]
    assert isinstance(named, Model)
    assert match in (named.sku, *named.match)
