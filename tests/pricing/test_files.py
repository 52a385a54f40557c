"""Price files of every format: what they say, what is refused and with which place."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from spendmeter.contracts.catalog import CatalogEntry, FxRate, Model, PeriodTerm, Price, Withdrawal
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.catalog import OWN, load_snapshot
from spendmeter.pricing.catalog.formats import FILE_BYTES_MAX
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import RECORDED, used

PAGE = (Path(__file__).parents[2] / "docs" / "price-files.md").read_text("utf-8")
FILES = dict(re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.M | re.S))
CHECKS = [
    (name, line)
    for name, lines in re.findall(r"^`([\w.-]+)`:\n\n```\w+\n.*?^```\n\n```check\n(.*?)^```", PAGE, re.M | re.S)
    for line in lines.splitlines()
]  # fmt: skip
CHECK = re.compile(
    r"(?:(?P<tenant>\w+): )?(?P<provider>[^/ ]+)/(?P<sku>\S+) (?P<usage>.*?) at (?P<at>\S+)"
    r"(?: region (?P<region>\S+))?(?: tier (?P<tier>\S+))? = (?P<cost>\S+) (?P<currency>\w+)"
)


def read(name: str) -> list[CatalogEntry]:
    return read_prices(name, FILES[name].encode(), recorded_at=RECORDED)


def test_the_page_has_a_file_of_every_format() -> None:
    assert {Path(name).suffix for name in FILES} == {".toml", ".yaml", ".csv", ".json", ".jsonl"}
    assert len(CHECKS) == 30


@pytest.mark.parametrize(("name", "line"), CHECKS)
def test_every_file_of_the_page_costs_what_the_page_says(name: str, line: str) -> None:
    said = CHECK.fullmatch(line)
    assert said is not None, line
    usage = {unit: int(n) for unit, n in (each.split("=") for each in said["usage"].split())}
    context = {"region": said["region"] or "", "service_tier": said["tier"] or "standard"}
    tenant = said["tenant"] or "nobody"
    event = used(
        said["provider"], said["sku"], usage, at=datetime.fromisoformat(said["at"]), tenant=tenant, **context
    )
    rating = rate(
        event, PriceBook({e.id: e for e in (*load_snapshot("openai", "anthropic"), *read(name))}.values())
    )
    assert (rating.contracted, rating.currency) == (Decimal(said["cost"]), said["currency"])
    assert rating.status == "priced"


def test_what_a_file_states_of_other_kinds_is_an_entry_too() -> None:
    entries = read("deal-2026.yaml")
    (period,) = [entry for entry in entries if isinstance(entry, PeriodTerm)]
    assert (period.effect, period.quantity, period.layer, period.contract) == (
        "allowance", "1000", "contract", "deal-2026",
    )  # fmt: skip
    (fx,) = [entry for entry in entries if isinstance(entry, FxRate)]
    assert fx.effective_from == datetime(2026, 11, 1, tzinfo=UTC)
    (withdrawal,) = read("mistake.toml")
    assert isinstance(withdrawal, Withdrawal)


def test_what_litellm_says_and_we_cannot_is_named_in_a_note() -> None:
    (model,) = [entry for entry in read("litellm.json") if isinstance(entry, Model)]
    assert (model.sku, model.note) == ("large", "not taken over: output_cost_per_pixel")


def not_taken(name: str, text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    read_prices(name, text.encode(), recorded_at=RECORDED, not_taken=found)
    return found


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ('"provider_specific_entry": {"slow": 0.6, "us": 1.1}', ("provider_specific_entry.slow",)),
        ('"lunar_uplift_multiplier": 1.1', ("lunar_uplift_multiplier",)),
        ('"off_peak_pricing": {"hours": [{"start": 16}], "discount": 0.5}', ("off_peak_pricing.discount", "off_peak_pricing.hours")),
        ('"a_field_of_tomorrow": "0.5 per call"', ("a_field_of_tomorrow",)),
        ('"max_price_per_call": 2', ("max_price_per_call",)),
        ('"search_context_cost_per_query": {"search_context_size_low": 1, "search_context_size_huge": 2}', ("search_context_cost_per_query.search_context_size_huge",)),
        ('"tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 1, "off_peak": 2}]', ("tiered_pricing.input_cost_per_token", "tiered_pricing.off_peak")),
        ('"supports_vision": true, "max_tokens": 9, "rpm": 5, "source": "x", "input_cost_per_image": null', ()),
    ],
)  # fmt: skip
def test_every_field_of_litellms_is_taken_over_or_says_no_price_or_is_named(
    field: str, named: tuple[str, ...]
) -> None:
    text = f'{{"m": {{"litellm_provider": "p", "output_cost_per_token": 1, {field}}}}}'
    assert not_taken("l.json", text) == ({"m": named} if named else {})


def test_prices_of_zero_that_litellm_does_not_mean_are_named() -> None:
    text = '{"m": {"litellm_provider": "p", "input_cost_per_token": 0, "output_cost_per_token": 0.0}}'
    assert not_taken("l.json", text) == {"m": ("prices of 0, which mean free or unknown",)}


GENAI = """[{"id": "tide", "name": "Tide", "api_pattern": "x", "surge_pricing": true, "models": [{"id": "t",
  "match": {"equals": "t"}, "off_peak_pricing": {"from": 16}, "prices_checked": "2026-11-01",
  "prices": [{"constraint": {"start_date": "2026-10-01"}, "prices": {"input_mtok": {"base": 1, "tiers": []}}}]}]}]"""


def test_a_field_of_genai_prices_that_nobody_reads_is_named() -> None:
    assert not_taken("g.json", GENAI) == {"tide": ("surge_pricing",), "tide/t": ("off_peak_pricing",)}


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        (
            '-01"}',
            '-01", "end_date": "2026-11-01"}',
            r"tide/t: prices\.0\.constraint: unknown field 'end_date'",
        ),
        (
            '"tiers": []',
            '"tiers": [], "off_peak": 2',
            r"tide/t: prices\.0\.prices\.input_mtok: unknown field 'off_peak'",
        ),
        ('{"equals": "t"}', '{"equals": "t", "unless": "x"}', "tide/t: match: unknown field 'unless'"),
    ],
)
def test_a_condition_of_genai_prices_that_nobody_reads_refuses_the_file(
    was: str, becomes: str, reason: str
) -> None:
    assert was in GENAI
    with pytest.raises(CatalogError, match=reason):
        not_taken("g.json", GENAI.replace(was, becomes))


def test_the_same_price_is_the_same_entry_in_every_format() -> None:
    toml = b'recorded_at = 2026-11-23T00:00:00Z\n[[price]]\nprovider = "p"\nsku = "s"\nper = 1\nprices = { pages = "0.5" }\nwhen = { context_min = 9, batch = true }'
    yaml = (
        b"price:\n- {provider: p, sku: s, per: 1, prices: {pages: 0.5}, when: {context_min: 9, batch: true}}"
    )
    csv = b"provider,sku,unit,price,per,context_min,batch\r\np,s,pages,0.50,1,9,TRUE\r\n"
    jsonl = b'{}\n{"type":"price","provider":"p","sku":"s","per":1,"prices":{"pages":"0.5"},"when":{"context_min":9,"batch":true}}\n'
    read = [
        read_prices(name, raw, recorded_at=RECORDED)
        for name, raw in [("a.toml", toml), ("a.yaml", yaml), ("a.yml", yaml), ("a.csv", csv), ("a.jsonl", jsonl)]
    ]  # fmt: skip
    assert len({entry.id for (entry,) in read}) == 1
    assert {entry.source for (entry,) in read} == {"a.toml", "a.yaml", "a.yml", "a.csv", "a.jsonl"}


def test_an_amount_of_litellms_never_goes_through_a_float() -> None:
    raw = b'{"m": {"litellm_provider": "p", "input_cost_per_token": 1.23456789012345678e-06}}'
    (price,) = [e for e in read_prices("l.json", raw, recorded_at=RECORDED) if isinstance(e, Price)]
    assert (price.price, price.per) == ("1.23456789012345678", 1_000_000)


def test_a_unit_that_the_catalog_has_may_be_given() -> None:
    raw = b"provider,sku,unit,price,per\np,s,wishes,1,1\n"
    with pytest.raises(CatalogError, match="line 2: unknown unit 'wishes'"):
        read_prices("a.csv", raw, recorded_at=RECORDED)
    assert len(read_prices("a.csv", raw, recorded_at=RECORDED, units={"wishes"})) == 1


DJINN = FILES["djinn.toml"]
CSV = "provider,sku,unit,price,per\n"
REFUSED: list[tuple[str, str, str]] = [
    ("a.toml", DJINN.replace('"3"', '"3.0"'), r"a\.toml: model\[0\]: rates\[1\].prices\[\.\.\.\]: not a plain decimal"),
    ("a.toml", DJINN.replace('"3"', '"-3"'), "not a plain decimal: no sign"),
    ("a.toml", DJINN.replace('"3"', '"3e2"'), "not a plain decimal: no sign, no exponent"),
    ("a.toml", DJINN.replace('"3"', '"NaN"'), "not a plain decimal"),
    ("a.toml", DJINN.replace('"3"', "nan"), "got `float`: an amount is written in quotes"),
    ("a.toml", DJINN.replace('"3"', "3"), "got `int`: an amount is written in quotes"),
    ("a.toml", DJINN.replace("aliases", "alias"), r"model\[0\]: unknown field 'alias': did you mean aliases\? allowed are provider, sku, aliases, match"),
    ("a.toml", DJINN.replace("time_zone", "zone"), r"calendar\[0\]: unknown field 'zone': did you mean time_zone\? allowed are"),
    ("a.toml", DJINN.replace("[[unit]]", "[[units]]"), r"a\.toml: unknown field 'units': did you mean unit\? allowed are source, .*, adjustment, alias, calendar"),
    ("a.toml", DJINN.replace("recorded_at = 2026-11-23T00:00:00Z", ""), "missing required field `recorded_at`"),
    ("a.toml", DJINN.replace("wishes = ", "dreams = "), r"model\[0\]: unknown unit 'dreams'; state it in a unit table"),
    ("a.toml", DJINN.replace("per = 1 ", 'per = 1\ncurrency = "usd" '), "regex"),
    ("a.toml", DJINN.replace("per = 1 ", "per = 0 "), ">= 1"),
    ("a.toml", "[[model]", r"a\.toml: .*line 1"),
    ("a.toml", "[model]\n", "model is not a list of tables"),
    ("a.toml", 'id = "x"\n', "unknown field 'id'; allowed are source"),
    ("a.toml", '[[fx]]\nid = "x"\n', r"fx\[0\]: unknown field 'id'; allowed are .*base, quote, rate, effective_from"),
    ("a.toml", '[[unit]]\nunit = "x"\nabout = "x"\ntenant = "acme"\n', r"unit\[0\]: unknown field 'tenant'; allowed are .*unit, about, parent, context"),
    ("a.toml", DJINN.replace('days = [1', 'weekdays = [1'), r"model\[0\]: rates\[2\].when.windows\[0\]: unknown field 'weekdays': did you mean days\? allowed are days, start, end"),
    ("a.toml", DJINN.replace('calendar = "baghdad", w', 'w').replace("when = { eff", "when = { hours = 1, eff"), r"rates\[0\].when: unknown field 'hours'; allowed are effective_from, effective_to, batch"),
    ("a.toml", '[[period]]\neffect = "volume"\nprovider = "p"\nunits = ["pages"]\nsteps = [{ above = "1", price = "2" }]\n', r"period\[0\]: steps\[0\]: unknown field 'above': did you mean over\? allowed are over, price"),
    ("a.toml", "a = " + "[" * 5000, "nested too deep"),
    ("a.yaml", "price: [{provider: p, sku: s, prices: {pages: 1.0}}]", "not a plain decimal"),
    ("a.yaml", "price: [{provider: p, sku: s, prices: {pages: '1', pages: '2'}}]", "line 1: a key stands twice"),
    ("a.yaml", "source: &x s\nnote: *x", "line 2: aliases are not read"),
    ("a.yaml", "source: " + "[" * 5000, "nested too deep"),
    ("a.yaml", "source: [", "a.yaml: .*line 2"),
    ("a.yaml", "- a", "is not a table"),
    ("a.yaml", "? [a]\n: b", "a.yaml: "),
    ("a.csv", CSV + "p,s,pages,1,1\np,s,pages,-1,1\n", r"a\.csv: line 3: prices\[\.\.\.\]: not a plain decimal"),
    ("a.csv", CSV + "p,s,pages,1e3,1\n", "line 2: .*not a plain decimal"),
    ("a.csv", CSV + "p,s,pages,NaN,1\n", "line 2: .*not a plain decimal"),
    ("a.csv", CSV + "p,s,pags,1,1\n", r"line 2: unknown unit 'pags': did you mean pages\? Else state it in a unit table first"),
    ("a.csv", CSV + "p,s,pages,,1\n", "line 2: no price"),
    ("a.csv", CSV + "p,s,pages,1\n", "line 2: has not as many cells"),
    ("a.csv", CSV + "p,s,pages,1,1,1\n", "line 2: has not as many cells"),
    ("a.csv", CSV + "p,s,pages,1,1\n\np,s,pages,1.00,1\n", "line 4: says again what line 2 says"),
    ("a.csv", CSV.replace("per", "pre"), "line 1: unknown column 'pre'"),
    ("a.csv", "provider,sku,unit,price\n", "line 1: missing column 'per'"),
    ("a.csv", CSV.replace("per", "per,per"), "line 1: a column stands twice"),
    ("a.csv", CSV.replace("per", "per,effective_from") + "p,s,pages,1,1,2026-11-01\n", "line 2: when.effective_from: "),
    ("a.csv", CSV.replace("per", "per,currency") + "p,s,pages,1,1,EURO\n", "line 2: currency: "),
    ("a.csv", CSV + '"p,s,pages,1,1\n', r"a\.csv: line \d: "),
    ("a.jsonl", '{"source":"s"}\n{"type":"price"}', "line 2: .*missing required field"),
    ("a.jsonl", '{"source":"s"}\n{"type":"unit","unit":"u","about":"a"}\n{"type":"planet"}', "line 3: unknown type 'planet'"),
    ("a.jsonl", '{"source":"s"}\n{', "line 2: "),
    ("a.jsonl", "", "a.jsonl: "),
    ("a.json", '{"m": {"input_cost_per_token": 1}}', "m: no litellm_provider"),
    ("a.json", '{"m": {"litellm_provider": "p", "input_cost_per_token": "1"}}', "m: 1 is not an amount of at least 0"),
    ("a.json", '{"m": {"litellm_provider": "p", "input_cost_per_token": -1}}', "m: -1 is not an amount of at least 0"),
    ("a.json", '{"m": {"litellm_provider": "p", "input_cost_per_token": 1e-999}}', "1e-999 is out of range"),
    ("a.json", '{"m": {"litellm_provider": "p", "input_cost_per_token": 1e99999999999999999999}}', "out of range"),
    ("a.json", '{"m": {"litellm_provider": "p", "input_cost_per_token": NaN}}', "a.json: "),
    ("a.json", '{"M": {"litellm_provider": "p", "input_cost_per_token": 1}, "m": {"litellm_provider": "p", "input_cost_per_token": 2}}', "m: another spelling of it has other prices"),
    ("a.json", "[1]", "a.json: "),
    ("a.json", '{"m": ' + "[" * 100_000, "a.json: "),
    ("a.json", '{"m": {"litellm_provider": "p", "tiered_pricing": 1}}', "m: Expected `array`"),
    ("a.json", '{"m": {"litellm_provider": "p", "tiered_pricing": [{"range": "x"}]}}', "m: Expected `array"),
    ("a.json", '{"m": {"litellm_provider": "p", "tiered_pricing": [{"range": [0, 1], "input_cost_per_token": "1"}]}}', "m: 1 is not an amount"),
    ("a.json", '{"m": {"litellm_provider": "p", "search_context_cost_per_query": []}}', "m: Expected `object`"),
    ("a.jsonl", '{"source":"s"}\n{"x":' + "[" * 100_000, "nested too deep|line 2"),
    ("a.toml", "\n" + "a." * 1_000_000 + "a = 1", "line 2: has more than 100 dots"),
    ("a.toml", "a = " + "9" * 5000, "a.toml: "),
    ("a.toml", '[[fx]]\nbase = "EUR"\nquote = "USD"\nrate = "1"\neffective_from = 0001-01-01T00:00:00+14:00\n', r"fx\[0\]: an instant is outside"),
    ("a.xlsx", "", "is of no known format; known are .toml"),
    ("a", "", "is of no known format"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_understood_is_refused_with_file_place_and_rule(
    name: str, text: str, reason: str
) -> None:
    recorded = None if "recorded_at" in reason else RECORDED
    with pytest.raises(CatalogError, match=reason) as refused:
        read_prices(name, text.encode(), recorded_at=recorded)
    assert str(refused.value).startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["a.toml", "a.yaml", "a.csv", "a.json", "a.jsonl"])
def test_a_file_that_is_too_large_or_no_text_is_refused_at_once(name: str) -> None:
    with pytest.raises(CatalogError, match="has at most 10,485,760 bytes, this one 10,485,761"):
        read_prices(name, b"\n" * (FILE_BYTES_MAX + 1), recorded_at=RECORDED)
    with pytest.raises(CatalogError, match="utf-8"):
        read_prices(name, b"\xff\xfe", recorded_at=RECORDED)


EXAMPLES = sorted(OWN.with_name("examples").iterdir())


def test_every_cost_class_has_a_dated_price_with_its_source() -> None:
    loaded = [*load_snapshot(), *(e for path in EXAMPLES for e in read_prices(path.name, path.read_bytes()))]
    PriceBook(loaded)
    units = {entry.unit for entry in loaded if isinstance(entry, Price)}
    assert units >= {
        "input_tokens", "searches", "file_searches", "io_requests", "read_units", "write_units", "gb_months",
        "gpu_hours", "instance_hours", "gb_egress", "seat_months", "labour_hours", "asset_hours",
    }  # fmt: skip
    assert units <= UNITS.keys()
    for path in [*OWN.iterdir(), *EXAMPLES]:
        for entry in read_prices(path.name, path.read_bytes()):
            assert re.search(r"https://|example", entry.source), (path.name, entry)


def test_made_up_prices_are_not_loaded() -> None:
    loaded = {entry.id for entry in load_snapshot()}
    for path in EXAMPLES:
        assert path.read_text("utf-8").startswith("# An example")
        assert loaded.isdisjoint(entry.id for entry in read_prices(path.name, path.read_bytes()))


@pytest.mark.parametrize(
    ("provider", "sku", "usage", "cost"),
    [
        ("aws", "aurora", {"io_requests": 2_500_000, "gb_months": 10}, "1.5"),
        ("aws", "g5.xlarge", {"instance_hours": 3}, "3.018"),
        ("modal", "h100", {"gpu_hours": Decimal("0.5")}, "1.9746"),
        ("pinecone", "serverless", {"read_units": 1_000, "write_units": 500, "gb_months": 1}, "0.348"),
        ("tavily", "search-advanced", {"searches": 3}, "0.048"),
        ("cloudflare", "r2", {"gb_egress": 1_000, "gb_months": 2}, "0.03"),
        ("aws", "egress", {"gb_egress": 50}, "4.5"),
        ("github-copilot", "business", {"seat_months": 12}, "228"),
    ],
)
def test_what_other_cost_classes_cost(
    book: PriceBook, provider: str, sku: str, usage: dict[str, int | Decimal], cost: str
) -> None:
    assert rate(used(provider, sku, usage), book).list == Decimal(cost)


def test_an_asset_is_written_off_hour_by_hour() -> None:
    (path,) = [path for path in EXAMPLES if path.name == "hardware.toml"]
    book = PriceBook(read_prices(path.name, path.read_bytes()))
    assert rate(used("assets", "developer-laptop", {"asset_hours": 10}), book).list == Decimal("1.5")


def test_yaml_is_loaded_for_those_who_read_it_alone() -> None:
    import subprocess

    code = "import sys, spendmeter.pricing.catalog as c; c.load_snapshot('openai'); sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
