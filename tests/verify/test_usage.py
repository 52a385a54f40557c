"""verify's own reading and pricing of an event, against amounts worked out by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendmeter.contracts.event_identity import identity as declared_identity
from spendmeter.verify import literals
from spendmeter.verify.usage import Unreadable, content_digest, identity, read, stated_labels
from tests.verify.conftest import PRICES, event


def said(**changes: Any) -> bytes:
    body = event(1)
    body["data"] |= changes
    return json.dumps(body).encode()


@pytest.fixture
def table(tmp_path: Path) -> literals.Literals:
    file = tmp_path / "prices.toml"
    file.write_text(PRICES)
    return literals.load(file)


@pytest.mark.parametrize(
    "names", [("acme", "bot", "e1"), ("a", "cmebot", "e1"), ("ä", "日本", "\N{GRINNING FACE}")]
)
def test_its_identity_is_the_declared_one(names: tuple[str, str, str]) -> None:
    assert identity(*names) == declared_identity(*names)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        None,
        b"[]",
        b"\xff",
        b"[" * 100_000,
        said(usage={}),
        said(usage={"input_tokens": -1}),
        said(usage={"input_tokens": 2**63}),
        said(usage={"input_tokens": "1_000"}),
        said(usage={"input_tokens": True}),
        said(usage={"input_tokens": float("nan")}),
        said(usage={"input_tokens": 1}).replace(b"1}", b"1e400}"),
        said(sku="\ud800"),
        json.dumps(event(1) | {"time": "yesterday"}).encode(),
    ],
)
def test_what_is_no_event_is_unreadable(raw: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read(raw)


def test_an_amount_is_exact_and_a_unit_without_a_price_costs_what_its_parent_does(
    table: literals.Literals,
) -> None:
    raw = said(provider="openai", sku="gpt-4o", usage={"input_tokens": 2000, "cache_read_tokens": "8000"})
    assert table.amount(read(raw)) == Decimal("0.025")


def test_what_the_table_does_not_state_is_not_guessed(table: literals.Literals) -> None:
    gpt_4o = {"provider": "openai", "sku": "gpt-4o"}
    unknown = [
        gpt_4o | {"usage": {"images": 1}},
        {"provider": "openai", "sku": "gpt-9"},
        *(
            gpt_4o | {"context": context}
            for context in ({"service_tier": "flex"}, {"batch": True}, {"region": "eu"})
        ),
    ]
    assert [table.amount(read(said(**data))) for data in unknown] == [None] * len(unknown)


def test_a_trusted_sender_says_itself_what_it_paid(table: literals.Literals) -> None:
    cost = {"amount": "0.0441195", "currency": "USD"}
    trusted = json.loads(said(reported_cost=cost)) | {"trustreportedcost": True}
    assert table.amount(read(json.dumps(trusted))) == Decimal("0.0441195")
    assert table.amount(read(said(reported_cost=cost))) != Decimal("0.0441195")


def test_two_copies_say_the_same_whatever_way_they_were_written() -> None:
    one = read(said(usage={"input_tokens": 5, "gb_months": "1.50"}, context={}))
    other = json.loads(
        said(usage={"gb_months": "1.5", "input_tokens": "5"}, labels={"team": "team-1", "user": "x"})
    )
    assert content_digest(one) == content_digest(read(json.dumps(other | {"time": "2026-11-24T00:00:00Z"})))
    other["data"]["usage"]["input_tokens"] = "6"
    assert content_digest(one) != content_digest(read(json.dumps(other)))


@pytest.mark.parametrize(
    ("received", "alike"), [("2026-11-25T18:00:00Z", True), ("2026-11-25T17:59:59Z", False)]
)
def test_a_label_is_one_in_both_normal_forms_since_that_is_the_rule(received: str, alike: bool) -> None:
    found = []
    for team in ("caf\u00e9", "cafe\u0301"):
        body = json.loads(said(labels={"team": team})) | {"receivedat": received}
        found.append(read(json.dumps(body).encode()))
    one, other = found
    assert (content_digest(one) == content_digest(other)) == alike
    assert (one.dimensions == other.dimensions) == alike


def test_what_a_copy_supersedes_is_part_of_what_it_says_since_that_is_the_rule() -> None:
    def digest(**named: str) -> bytes:
        body = event(1) | {"receivedat": "2026-11-26T04:00:00Z"} | named
        return content_digest(read(json.dumps(body).encode()))

    assert digest(supersedes="x") != digest()
    assert digest(supersedes="x") == digest(supersedes="x", supersedessource=event(1)["source"])
    old = "2026-11-26T03:59:59Z"
    assert digest(supersedes="x", receivedat=old) == digest(receivedat=old)


@pytest.mark.parametrize(
    ("received", "own"),
    [("2026-11-26T07:00:00Z", ("cost_centre=4711", "customer=~other")), ("2026-11-26T06:59:59Z", ())],
)
def test_own_dimensions_are_read_as_the_event_states_them_since_there_are_any(
    received: str, own: tuple[str, ...]
) -> None:
    labels = {"team": "a", "own": {"customer": "c1", "cost_centre": "4711"}, "folded": ["customer"]}
    event = read(json.dumps(json.loads(said(labels=labels)) | {"receivedat": received}).encode())
    plain = read(json.dumps(json.loads(said(labels={"team": "a"})) | {"receivedat": received}).encode())
    assert event.dimensions == (*plain.dimensions, *own)
    assert (content_digest(event) == content_digest(plain)) == (own == ())
    sent = {"team": "a", "customer": "c1", "cost_centre": "4711"}
    assert stated_labels(event.body) == (sent if own else {"team": "a"})


def test_what_is_estimated_or_assumed_makes_another_event_of_it() -> None:
    def digest(received: str = "2026-11-27T00:00:00Z", **changes: Any) -> bytes:
        return content_digest(read(json.dumps(json.loads(said(**changes)) | {"receivedat": received})))

    for changes in ({"estimated": ["input_tokens"]}, {"normalised": "assumed"}, {"cadence": "bill"}):
        assert digest(**changes) != digest()
        earlier = "2026-11-26T00:00:00Z"  # fields that nobody knew
        assert digest(earlier, **changes) == digest(earlier)
    for changes in ({"estimated": []}, {"normalised": "stated"}, {"cadence": "live"}):
        assert digest(**changes) == digest()


def test_a_folded_label_is_told_apart_by_nothing_but_the_event() -> None:
    def told(received: str, **labels: Any) -> tuple[str, ...]:
        return read(json.dumps(json.loads(said(labels=labels)) | {"receivedat": received})).dimensions

    at = "2026-11-27T00:00:00Z"
    assert told(at, team="a", agent="x", folded=["team"]) == told(at, team="b", agent="x", folded=["team"])
    assert "~other" in told(at, team="a", folded=["team"])
    assert "a" in told("2026-11-26T18:00:00Z", team="a", folded=["team"])
