"""One record in, one answer out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from services.rating.rate import RecordRater
from services.rating.rounds import TIMESTAMP_MS_MAX
from spendmeter.contracts.catalog import Conditions, NameRule
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.event_identity import content_hash
from spendmeter.contracts.event_identity import identity as identity_of
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import series_of
from spendmeter.contracts.rated import (
    Origin,
    RatedUsage,
    RejectedUsage,
    Remarked,
    decode_lines,
    decode_rated,
)
from spendmeter.contracts.series import series_id
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import adjustment, model, price, spelling, terms, unit
from tests.rating.conftest import raw_event

BOOK = PriceBook([model("gpt-4o"), price("gpt-4o", "input_tokens", "2.5")], version=3)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORIGIN = Origin(topic="f" * 32, partition=2, offset=41)
RULES_FROM = "2026-11-26T04:00:00Z"
"""After the first instant of every rule that has one."""


def answer(raw: bytes | None) -> RatedUsage | RejectedUsage:
    found = RecordRater(timedelta(days=400)).answer(b"key", raw, origin=ORIGIN, prev=39, book=BOOK, now=NOW)
    read = decode_rated(found.value)
    assert isinstance(read, RatedUsage | RejectedUsage)
    assert (read.origin, read.prev) == (ORIGIN, 39)
    assert found.outcome == (read.status if isinstance(read, RatedUsage) else "rejected")
    return read


def rejected(raw: bytes | None) -> RejectedUsage:
    read = answer(raw)
    assert isinstance(read, RejectedUsage)
    assert (read.size, read.sha256) == (len(raw or b""), sha256(raw or b"").hexdigest())
    return read


def at_noon(**changes: object) -> bytes:
    return raw_event(1, **({"time": "2026-11-20T12:00:00Z"} | changes))


def test_the_head_names_the_currency_and_the_month_of_the_tenants_zone() -> None:
    berlin = PriceBook(
        [model("gpt-4o"), price("gpt-4o", "input_tokens", "2.5"), terms("acme", time_zone="Europe/Berlin")]
    )
    raw = at_noon(time="2026-10-31T23:30:00Z")  # 00:30 on 1 November in Berlin
    found = RecordRater(timedelta(days=400)).answer(b"key", raw, origin=ORIGIN, prev=39, book=berlin, now=NOW)
    read = decode_rated(found.value)
    assert isinstance(read, RatedUsage)
    assert (read.currency, read.accounting_period) == ("USD", date(2026, 11, 1))


def test_the_head_says_what_the_ledger_needs_and_the_event_goes_on_as_it_lies_on_the_topic() -> None:
    raw = b" " + at_noon(unknown={"field": [1.50, "kept"]}) + b"\n"
    read = answer(raw)
    assert isinstance(read, RatedUsage)
    event = read_event(raw)
    assert read.identity == identity_of("acme", "tests", "event-1").hex()
    assert read.hash == content_hash(event).hex()
    assert read.series_id == series_id(series_of(event)).hex()
    assert msgspec.json.decode(read.series) == msgspec.to_builtins(series_of(event))
    assert (read.list, read.contracted, read.effective) == ("0.0025", "0.0025", "0.0025")
    assert (read.currency, read.status, read.catalog_version) == ("USD", "priced", 3)
    assert read.usage == {"input_tokens": 1000}
    assert bytes(read.event).strip() == raw.strip()
    assert [line.amount for line in decode_lines(read.lines)] == ["0.0025"]


@pytest.mark.parametrize(
    ("context", "remarked"),
    [
        ({}, None),
        ({"region": "eu"}, None),
        ({"region": "EU-west-9"}, Remarked(provider="openai", region="EU-west-9")),
        (
            {"region": "mars", "service_tier": "ultra", "batch": True},
            Remarked(provider="openai", batch=True, tier="ultra", region="mars"),
        ),
    ],
)
def test_what_lines_remark_stands_in_the_head_with_what_the_event_states(
    context: dict[str, object], remarked: Remarked | None
) -> None:
    in_europe = adjustment("residency", "1.1", when=Conditions(regions=("eu",)))
    book = PriceBook([model("gpt-4o"), price("gpt-4o", "input_tokens", "2.5"), in_europe])
    event = msgspec.json.decode(at_noon())
    raw = msgspec.json.encode(event | {"data": event["data"] | {"context": context}})
    found = RecordRater(timedelta(days=400)).answer(b"key", raw, origin=ORIGIN, prev=39, book=book, now=NOW)
    read = decode_rated(found.value)
    assert isinstance(read, RatedUsage)
    assert read.remarked == (UNSET if remarked is None else remarked)
    assert (b"remarked" in found.value) == (remarked is not None)


def test_by_a_catalog_of_an_earlier_release_no_spelling_says_that_a_tier_is_the_standard_one() -> None:
    earlier = [
        price("gpt-4o", "input_tokens", "2.5"),
        price("gpt-4o", "input_tokens", "5", when=Conditions(tiers=("priority",))),
    ]
    event = msgspec.json.decode(at_noon())
    raw = msgspec.json.encode(event | {"data": event["data"] | {"context": {"service_tier": "default"}}})
    for entries, remarked in ((earlier, True), ([*earlier, spelling("tier", "", "default")], False)):
        found = RecordRater(timedelta(days=400)).answer(
            b"key", raw, origin=ORIGIN, prev=39, book=PriceBook(entries), now=NOW
        )
        read = decode_rated(found.value)
        assert isinstance(read, RatedUsage)
        assert (read.effective, read.remarked is not UNSET) == ("0.0025", remarked)


def test_a_region_that_the_models_name_says_stands_in_the_head_and_on_the_line() -> None:
    in_europe = adjustment("residency", "1.1", when=Conditions(regions=("eu",)))
    prefix = NameRule(
        name="region", match=("{region}/{name}",), becomes="{name}", costs="same", says="where it is served",
        source="test", recorded_at=NOW,
    )  # fmt: skip
    book = PriceBook([price("gpt-4o", "input_tokens", "2.5"), in_europe, identified(prefix)])
    event = msgspec.json.decode(at_noon())
    for context, sku, region, on_line in (
        ({}, "us-west-9/gpt-4o", "us-west-9", "us-west-9"),
        ({"region": "Mars"}, "us-west-9/gpt-4o", "Mars", ""),
        ({}, "eu/gpt-4o", "", ""),
    ):
        raw = msgspec.json.encode(event | {"data": event["data"] | {"sku": sku, "context": context}})
        found = RecordRater(timedelta(400)).answer(b"k", raw, origin=ORIGIN, prev=39, book=book, now=NOW)
        read = decode_rated(found.value)
        assert isinstance(read, RatedUsage)
        remarked = Remarked(provider="openai", region=region) if region else UNSET
        (line,) = decode_lines(read.lines)
        assert (read.remarked, line.region) == (remarked, on_line)


def test_a_tier_that_the_models_name_says_is_the_one_remarked() -> None:
    suffix = NameRule(
        name="fast", match=("{name}-fast",), becomes="{name}", costs="same", tier="fast", says="the fast mode",
        source="test", recorded_at=NOW,
    )  # fmt: skip
    book = PriceBook([price("gpt-4o", "input_tokens", "2.5"), identified(suffix)])
    event = msgspec.json.decode(at_noon())
    for context, sku, tier, on_line in (
        ({}, "gpt-4o-fast", "fast", "fast"),
        ({"service_tier": "Turbo"}, "gpt-4o-fast", "fast", "fast"),
        ({"service_tier": "Turbo"}, "gpt-4o", "Turbo", ""),
    ):
        raw = msgspec.json.encode(event | {"data": event["data"] | {"sku": sku, "context": context}})
        found = RecordRater(timedelta(400)).answer(b"k", raw, origin=ORIGIN, prev=39, book=book, now=NOW)
        read = decode_rated(found.value)
        assert isinstance(read, RatedUsage)
        (line,) = decode_lines(read.lines)
        assert (read.remarked, line.tier) == (Remarked(provider="openai", tier=tier), on_line)


def test_quantities_are_plain_decimals() -> None:
    data = {"provider": "openai", "sku": "gpt-4o", "usage": {"gb_months": "0.000000001", "input_tokens": "7"}}
    read = answer(at_noon(data=data))
    assert isinstance(read, RatedUsage)
    assert read.usage == {"gb_months": "0.000000001", "input_tokens": 7}


def test_a_name_that_is_no_unit_is_unpriced_and_its_quantity_is_counted_from_when_that_is_the_rule() -> None:
    usage = {"made_up_by_the_sender": "1.50", "input_tokens": 7}
    said = {"provider": "openai", "sku": "gpt-4o", "usage": usage}
    read = answer(at_noon(data=said, receivedat=RULES_FROM))
    assert isinstance(read, RatedUsage)
    assert (read.usage, read.status) == ({"made_up_by_the_sender": "1.5", "input_tokens": 7}, "unpriced")
    assert [line.unit for line in decode_lines(read.lines)] == list(usage)
    before = answer(at_noon(data=said))
    assert isinstance(before, RatedUsage)
    assert (before.usage, before.status) == ({"input_tokens": 7}, "unpriced")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "is empty (a tombstone)"),
        (b"", "is empty"),
        (b"\x00\x01\xff", "is not JSON"),
        (b'{"x":' + b"[" * 100_000, "nested"),
        (b"{}", "required field"),
        (at_noon(type="spendmeter.total.v1"), "unknown type"),
        (at_noon(tenant=""), "tenant: is missing"),
        (raw_event(1, time=None), "time"),
        (at_noon(time="2026-11-20T13:00:00.001Z"), "more than 1 h ahead"),
        (at_noon(time="2025-10-16T11:59:59Z"), "more than 400 days back"),
        (
            at_noon(data={"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": -1}}),
            "input_tokens",
        ),
        (at_noon(data={"provider": "openai", "sku": "gpt-4o", "usage": {}}), "no usage"),
        (at_noon(ignored="x").replace(b'"x"', b'"\xff"'), "UTF-8"),
        (at_noon(id="a\0b"), "NUL"),
        (b'{"x":1' + b"0" * 300_000 + b"}", "at most"),
    ],
)
def test_what_cannot_be_an_event_is_rejected_with_the_reason(raw: bytes | None, reason: str) -> None:
    assert reason in rejected(raw).reason


def test_a_rejection_names_the_sender_as_far_as_it_can_be_read() -> None:
    read = rejected(at_noon(data={"provider": 1}))
    assert (read.tenant, read.source, read.id) == ("acme", "tests", "event-1")
    hostile = rejected(
        msgspec.json.encode({"tenant": "t" * 65, "source": 7, "id": "a\0b", "prompt": "secret"})
    )
    assert (hostile.tenant, hostile.source, hostile.id) == ("", "", "")
    assert "secret" not in msgspec.json.encode(hostile).decode()


def test_an_amount_that_money_cannot_hold_is_a_rejection_and_no_crash() -> None:
    book = PriceBook([price("gpt-4o", "gb_months", f"123456789012345678.{'1' * 18}", per=1)])
    usage = {"gb_months": "123456789012345678.123456789012"}
    raw = at_noon(data={"provider": "openai", "sku": "gpt-4o", "usage": usage})
    found = RecordRater(timedelta(days=400)).answer(None, raw, origin=ORIGIN, prev=0, book=book, now=NOW)
    assert found.outcome == "rejected"


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("put_ms", [1, TIMESTAMP_MS_MAX - 1])
def test_an_event_of_the_first_or_last_time_that_a_record_may_have_is_answered(
    put_ms: int, zone: str
) -> None:
    book = PriceBook([model("gpt-4o"), terms("acme", time_zone=zone)])
    now = datetime.fromtimestamp(put_ms / 1000, UTC)
    for time in (now - timedelta(days=400), now + timedelta(hours=1)):
        raw = at_noon(time=time.isoformat())
        found = RecordRater(timedelta(days=400)).answer(None, raw, origin=ORIGIN, prev=0, book=book, now=now)
        assert found.outcome == "unpriced"


def test_series_are_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.rating.rate.SERIES_MAX", 3)
    answers = RecordRater(timedelta(days=400))
    for number in range(10):
        data = {"provider": "openai", "sku": f"model-{number}", "usage": {"input_tokens": 1}}
        found = answers.answer(None, at_noon(data=data), origin=ORIGIN, prev=0, book=BOOK, now=NOW)
        assert isinstance(decode_rated(found.value), RatedUsage)
        assert len(answers._series) <= 3


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_answered(raw: bytes) -> None:
    rejected(raw)


mutated = st.builds(
    lambda at, byte: bytes([*at_noon()[: at % 300], byte, *at_noon()[at % 300 + 1 :]]),
    st.integers(0, 299),
    st.integers(0, 255),
)


@settings(max_examples=500, deadline=None)
@given(mutated)
def test_an_event_with_a_byte_flipped_is_answered(raw: bytes) -> None:
    answer(raw)


def test_the_same_record_gives_the_same_bytes() -> None:
    raws = [raw_event(number, time="2026-11-20T12:00:00Z") for number in range(3)]

    def run() -> list[bytes]:
        answers = RecordRater(timedelta(days=400))
        return [answers.answer(None, raw, origin=ORIGIN, prev=0, book=BOOK, now=NOW).value for raw in raws]

    assert run() == run()


def test_an_entry_stays_small() -> None:
    usage = {"input_tokens": 5, "cache_read_tokens": 128_955, "output_tokens": 10}
    read = answer(at_noon(data={"provider": "openai", "sku": "gpt-4o", "usage": usage}))
    assert isinstance(read, RatedUsage)
    assert len(bytes(read.lines)) < 400
    assert Decimal(read.list) == Decimal(
        "0.3224"
    )  # cached tokens at their parent's price; output is unpriced
    assert read.status == "unpriced"


def test_a_nul_in_a_field_that_nobody_knows_is_refused_for_the_book_could_not_show_it() -> None:
    raw = at_noon(unknown={"field": "a\x00b"})
    assert isinstance(answer(raw), RejectedUsage)
    assert isinstance(answer(at_noon(unknown={"field": "a literal \\u0000"})), RatedUsage)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"usage": {"prompt_tokens": 5}}, "prompt_tokens is OpenAI's"),
        ({"usage": {"input_tokens": 2**63 - 1}}, "per_event_max"),
        ({"labels": {"team": "pay\u200bments"}}, "data.labels.team: holds U+200B (ZERO WIDTH SPACE)"),
    ],
)
def test_a_direct_writer_meets_the_same_rules_and_a_rebuild_rejects_nothing_that_was_booked_before_them(
    data: dict[str, object], reason: str
) -> None:
    said = {"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 5}} | data
    assert reason in rejected(at_noon(data=said, receivedat=RULES_FROM)).reason
    assert isinstance(answer(at_noon(data=said, receivedat="2026-11-20T12:00:00Z")), RatedUsage)
    put_before = answer(at_noon(data=said))  # judged by when the record was put on the topic
    assert isinstance(put_before, RatedUsage)


def test_two_spellings_of_a_label_are_one_series_and_one_content() -> None:
    said = {"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 5}}
    one, other = (
        answer(at_noon(data=said | {"labels": {"team": team}}, receivedat=RULES_FROM))
        for team in ("caf\u00e9", "cafe\u0301")
    )
    assert isinstance(one, RatedUsage) and isinstance(other, RatedUsage)
    assert (one.series_id, one.hash) == (other.series_id, other.hash)


def test_a_unit_of_the_catalog_may_state_its_own_bound_for_what_comes_after_it() -> None:
    sparks = unit("sparks", per_event_max=10, recorded_at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    book = PriceBook([model("gpt-4o"), sparks, price("gpt-4o", "sparks", "2", per=1)])
    for quantity, received, outcome in (
        (10, "2026-11-20T12:00:00Z", "priced"), (11, "2026-11-20T12:00:00Z", "rejected"),
        (11, "2026-11-20T11:59:59Z", "priced"),
    ):  # fmt: skip
        data = {"provider": "openai", "sku": "gpt-4o", "usage": {"sparks": quantity}}
        raw = at_noon(data=data, receivedat=received)
        found = RecordRater(timedelta(days=400)).answer(None, raw, origin=ORIGIN, prev=0, book=book, now=NOW)
        assert found.outcome == outcome


def test_a_rejection_says_which_key_sent_it() -> None:
    assert rejected(at_noon(keyid="k7f3a", data={"provider": 1})).key_id == "k7f3a"


def test_the_head_names_what_the_event_supersedes_and_nothing_where_it_names_nothing() -> None:
    named, old, plain = (
        answer(at_noon(receivedat=received, **said))
        for received, said in ((RULES_FROM, {"supersedes": "lost"}), ("2026-11-26T03:59:59Z", {"supersedes": 7}),
                               (RULES_FROM, {}))
    )  # fmt: skip
    assert isinstance(named, RatedUsage) and isinstance(old, RatedUsage) and isinstance(plain, RatedUsage)
    assert named.supersedes == identity_of("acme", "tests", "lost").hex()
    assert (old.supersedes, plain.supersedes) == (UNSET, UNSET)


def test_a_trusted_cost_of_less_than_half_is_booked_and_its_key_named() -> None:
    def little(amount: str, trusted: bool = True) -> tuple[str, tuple[str, str] | None]:
        cost = {"amount": amount, "currency": "USD"}
        data = {
            "provider": "openai",
            "sku": "gpt-4o",
            "usage": {"input_tokens": 4_000_000},
            "reported_cost": cost,
        }
        raw = at_noon(data=data, trustreportedcost=trusted, keyid="k1")
        found = RecordRater(timedelta(days=400)).answer(None, raw, origin=ORIGIN, prev=0, book=BOOK, now=NOW)
        read = decode_rated(found.value)
        assert isinstance(read, RatedUsage)
        return read.effective, found.reports_little

    # 4,000,000 x 2.50/M = 10 by the catalog
    assert little("4.99") == ("4.99", ("acme", "k1"))
    assert little("5") == ("5", None)
    assert little("0", trusted=False) == ("10", None)
