"""A tenant's own dimensions on an event: what may stand there, and to which series it then belongs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendmeter.contracts.dimensions import OWN_FROM, trouble_with_label, trouble_with_name
from spendmeter.contracts.event_identity import content_hash
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError, UsageEvent, encode_event, series_of, series_values
from spendmeter.contracts.gate import FOLDED_LABELS_FROM, as_booked, check_rules
from spendmeter.contracts.series import DIMENSIONS, Series, series_id

BEFORE, AFTER = OWN_FROM - timedelta(microseconds=1), OWN_FROM
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def event(labels: Any, received_at: datetime = AFTER) -> UsageEvent:
    """An event with these labels, through the gate."""
    data = {"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 5}, "labels": labels}
    head = {
        "specversion": "1.0",
        "type": "spendmeter.usage.v1",
        "id": "1",
        "source": "bot",
        "subject": "acme/bot",
    }
    read = read_event(json.dumps(head | {"tenant": "acme", "data": data}).encode())
    check_rules(read, False, received_at)
    return read


def refusal(labels: Any) -> EventError:
    with pytest.raises(EventError) as caught:
        event(labels)
    return caught.value


def test_the_series_of_events_without_own_dimensions_are_those_that_they_always_were() -> None:
    assert (
        series_id(Series(provider="openai", sku="gpt-4o", team="a")).hex()
        == "ee613a8eb2f6ee9600f8624147ea386e"
    )
    assert content_hash(event({"team": "a"})).hex() == "86a8dd4eecec658e3c8c1c426b436aa1"


def test_an_own_dimension_makes_another_series_and_an_empty_one_does_not() -> None:
    plain, own = event({"team": "a"}), event({"team": "a", "own": {"customer": "c1"}})
    assert series_of(own).named() == {
        "cost_class": "model", "provider": "openai", "sku": "gpt-4o", "team": "a", "customer": "c1",
    }  # fmt: skip
    assert series_id(series_of(own)) != series_id(series_of(plain))
    assert content_hash(own) != content_hash(plain)
    empty = event({"team": "a", "own": {"customer": ""}})
    assert (series_of(empty), content_hash(empty)) == (series_of(plain), content_hash(plain))


@given(own=st.dictionaries(st.sampled_from(["customer", "cost_centre", "region"]), TEXTS, max_size=3))
def test_a_series_is_the_same_in_whatever_order_its_own_dimensions_come(own: dict[str, str]) -> None:
    turned = dict(reversed(own.items()))
    first, second = event({"own": own}), event({"own": turned})
    assert series_values(first) == series_values(second)
    assert series_id(series_of(first)) == series_id(series_of(second))
    assert series_id(Series(own=own)) == series_id(Series(own=turned))
    assert hash(Series(own=own)) == hash(Series(own=own))
    assert Series.of(series_of(first).named()) == series_of(first)
    assert content_hash(first) == content_hash(second)


def test_every_dimension_is_asked_for_in_one_way() -> None:
    series = series_of(event({"team": "a", "own": {"customer": "c1"}}))
    assert [series.value(name) for name in ("team", "customer", "agent", "nobody")] == ["a", "c1", "", ""]
    assert set(series.named()) <= {*DIMENSIONS, "customer"}


def test_what_is_folded_is_one_series_and_stays_on_the_event_as_it_was_sent() -> None:
    whole = event({"own": {"customer": "c1", "cost_centre": "4711"}})
    folded = event({"own": {"customer": "c1", "cost_centre": "4711"}, "folded": ["customer"]})
    assert series_of(folded).own == {"cost_centre": "4711", "customer": "~other"}
    assert series_of(folded) == series_of(
        event({"own": {"customer": "c2", "cost_centre": "4711"}, "folded": ["customer"]})
    )
    assert json.loads(encode_event(folded))["data"]["labels"]["own"]["customer"] == "c1"
    assert content_hash(folded) == content_hash(whole), "a retry on a day with room is the same event"


def test_what_was_received_before_there_were_own_dimensions_has_none_whatever_it_holds() -> None:
    for odd in ({"customer": "c1"}, "text", ["x"], 5, {"Any Thing": [1]}):
        old = event({"team": "a", "own": odd, "folded": odd}, BEFORE)
        assert series_of(old) == series_of(event({"team": "a"}))
        assert content_hash(old) == content_hash(event({"team": "a"}))


@pytest.mark.parametrize(
    ("labels", "field", "rule"),
    [
        ({"own": "text"}, "data.labels.own", "by name"),
        ({"own": {f"n{n:02}": "x" for n in range(9)}}, "data.labels.own", "at most 8"),
        ({"own": {"Customer": "x"}}, "data.labels.own", "no name of a dimension"),
        ({"own": {"team": "x"}}, "data.labels.own", "no name of a dimension"),
        ({"own": {"customer": 5}}, "data.labels.own.customer", "got `int`"),
        ({"own": {"customer": "~other"}}, "data.labels.own.customer", "stands for what is folded"),
        ({"own": {"customer": "a\u200bb"}}, "data.labels.own.customer", "cannot be seen"),
        ({"own": {"customer": "x" * 129}}, "data.labels.own.customer", "at most 128"),
        ({"own": {"customer": "x"}, "folded": ["team"]}, "data.labels.folded", "no others"),
        ({"folded": "customer"}, "data.labels.folded", "no others"),
    ],
)  # fmt: skip
def test_what_no_own_dimension_can_be_is_refused_by_its_name(labels: Any, field: str, rule: str) -> None:
    error = refusal(labels)
    assert error.field == field
    assert rule in error.reason


def test_own_values_are_booked_and_asked_for_in_one_form() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    assert event({"own": {"customer": apart}}).data.labels.own == {"customer": composed}
    assert as_booked("customer", apart) == composed
    assert as_booked("sku", apart) == apart


@pytest.mark.parametrize("name", ["team", "user", "run", "own", "tenant", "effective", "currency", "cursor"])
def test_words_that_stand_beside_dimensions_are_taken(name: str) -> None:
    assert "is taken" in trouble_with_name(name)


@pytest.mark.parametrize(
    "name", ["", "a", "Customer", "customer-id", "1st", "_x", "x" * 33, "caf\u00e9", "a b", "a\n"]
)
def test_a_name_is_small_letters_digits_and_underscores(name: str) -> None:
    assert "no name of a dimension" in trouble_with_name(name)


def test_a_name_that_a_figure_took_is_declared_no_more_and_labels_of_it_go_on() -> None:
    for name in ("cost", "requests", "tokens", "seats"):
        assert "is taken" in trouble_with_name(name)
        assert trouble_with_label(name) == ""
    assert "is taken" in trouble_with_label("team")


def test_what_people_call_theirs_is_a_name() -> None:
    for name in ("cost_centre", "customer", "region", "customer_id", "b2b", "x" * 32):
        assert trouble_with_name(name) == ""


def test_the_first_instant_is_past() -> None:
    assert datetime.now(UTC) > OWN_FROM


def test_a_label_that_everybody_has_is_folded_alike_and_says_in_the_event_what_it_was() -> None:
    one = event({"team": "t-30001", "workflow": "refund", "folded": ["team"]}, FOLDED_LABELS_FROM)
    two = event({"team": "t-30002", "workflow": "refund", "folded": ["team"]}, FOLDED_LABELS_FROM)
    assert (series_of(one).team, series_of(one).workflow) == ("~other", "refund")
    assert series_of(one) == series_of(two)
    assert one.data.labels.team == "t-30001"
    whole = event({"team": "t-30001", "workflow": "refund"}, FOLDED_LABELS_FROM)
    assert content_hash(one) == content_hash(whole)
    with pytest.raises(EventError):
        event({"folded": ["team"]}, FOLDED_LABELS_FROM)  # a label that it has not


def test_before_labels_that_everybody_has_were_folded_nobody_could_say_so() -> None:
    with pytest.raises(EventError):
        event({"team": "a", "folded": ["team"]}, FOLDED_LABELS_FROM - timedelta(seconds=1))
