"""A tenant's own dimensions at the door: what is declared is kept, what is not is named, what is too many folded."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from services.ingest import admitted
from services.ingest.accept import AcceptedEvents, Submission, accept
from services.ingest.admitted import AdmittedValues, ValueAdmission
from services.ingest.credentials import IngestCredential, Snapshot
from services.ingest.refused import RequestRefused
from spendmeter.contracts.events import Labels, encode_event, series_of
from tests.ingest.harness import event
from tests.ingest.test_accept import NOW, credential, submission

DECLARED = {"acme": {"customer", "cost_centre"}}


def labelled(id: str = "1", **labels: Any) -> dict[str, Any]:
    sent = event(id)
    return sent | {"data": sent["data"] | {"labels": labels}}


def of_acme(
    by: IngestCredential | None = None, dimensions: Any = DECLARED, values: ValueAdmission | None = None
) -> Submission:
    by = by or credential()
    snapshot = Snapshot(
        credentials={by.key_id: by},
        pseudonym_keys={},
        tenants=frozenset({"acme", "globex"}),
        read_at=0,
        dimensions=dimensions,
    )
    return submission(by, snapshot=snapshot, values=values or AdmittedValues().of(NOW))


def taken(*sent: dict[str, Any], **more: Any) -> AcceptedEvents:
    many = accept(json.dumps(sent).encode(), "either", of_acme(**more))
    if len(sent) == 1:
        alone = accept(json.dumps(sent[0]).encode(), "either", of_acme(**more))
        assert list(map(encode_event, alone.events)) == list(map(encode_event, many.events))
        assert sorted(alone.dropped) == sorted(many.dropped)
    return many


def refusal(**labels: Any) -> str:
    with pytest.raises(RequestRefused) as caught:
        taken(labelled(**labels))
    return str(caught.value.errors[0])


def test_a_declared_label_is_kept_with_those_that_everybody_has() -> None:
    accepted = taken(labelled(team="search", customer="c1", run="r1", cost_centre=""))
    (kept,) = accepted.events
    assert json.loads(encode_event(kept))["data"]["labels"] == {
        "team": "search", "run": "r1", "own": {"customer": "c1"},
    }  # fmt: skip
    assert accepted.dropped == []
    assert series_of(kept).named()["customer"] == "c1"


def test_what_is_not_declared_is_dropped_and_named_with_whatever_else_nobody_knows() -> None:
    sent = labelled(team="search", customer="c1", costcenter="x", own={"region": "eu"})
    sent["data"] |= {"cost": 3}
    accepted = taken(sent)
    assert sorted(accepted.dropped) == ["data.cost", "data.labels.costcenter", "data.labels.own.region"]
    assert accepted.events[0].data.labels.own == {"customer": "c1"}


def test_a_name_of_a_label_is_told_without_strange_characters() -> None:
    assert list(taken(labelled(**{"a\nb": "x"})).dropped) == ["data.labels.a?b"]


def test_the_place_where_a_receipt_shows_it_is_as_good() -> None:
    nested, flat = taken(labelled(own={"customer": "c1"})), taken(labelled(customer="c1"))
    both = taken(labelled(own={"customer": "c1"}, customer="c1"))
    assert [encode_event(of.events[0]) for of in (nested, both)] == [encode_event(flat.events[0])] * 2


def test_a_tenant_that_has_declared_nothing_keeps_nothing_of_its_own() -> None:
    for by in (None, {"globex": {"customer"}}):
        accepted = taken(labelled(team="a", customer="c1"), dimensions=by or {})
        assert accepted.dropped == ["data.labels.customer"]
        accepted = taken(labelled(team="a", own={"customer": "c1"}, folded=["customer"]), dimensions=by or {})
        assert accepted.dropped == ["data.labels.own"]
        assert json.loads(encode_event(accepted.events[0]))["data"]["labels"] == {"team": "a"}


def test_an_operators_events_have_the_dimensions_of_the_tenant_that_each_names() -> None:
    events = [
        labelled(str(n), customer="c1") | {"tenant": tenant} for n, tenant in enumerate(("acme", "globex"))
    ]
    accepted = taken(*events, by=credential(tenant=""))
    assert [each.data.labels.own for each in accepted.events] == [{"customer": "c1"}, {}]
    assert accepted.dropped == ["data.labels.customer"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"customer": 5}, "data.labels.own.customer"),
        ({"team": 5}, "data.labels.team"),
        ({"customer": "x" * 129}, "at most 128"),
        ({"customer": "~other"}, "stands for what is folded"),
        ({"customer": "a", "own": {"customer": "b"}}, "stated twice"),
        ({"own": "x"}, "Expected `object`"),
    ],
)  # fmt: skip
def test_a_bad_value_refuses_the_event_by_its_name(labels: dict[str, Any], said: str) -> None:
    assert said in refusal(**labels)


def test_values_beyond_the_days_bound_are_folded_and_stay_on_the_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admitted, "VALUES_PER_DAY_MAX", 2)
    day = AdmittedValues()

    def series(*customers: str) -> list[str]:
        values = day.of(NOW)
        accepted = taken(
            *[labelled(str(n), customer=name) for n, name in enumerate(customers)], values=values
        )
        assert [each.data.labels.own["customer"] for each in accepted.events] == list(customers)
        values.keep()
        return [series_of(each).own["customer"] for each in accepted.events]

    assert series("c1", "c2") == ["c1", "c2"]
    assert series("c3", "c2", "c1") == ["~other", "c2", "c1"]
    assert series("c3", "c4") == ["~other", "~other"]
    assert sorted(row[3] for row in day.take_unwritten() if row[2] == "customer") == ["c1", "c2"]
    day.of(NOW + timedelta(days=1))
    assert series("c9") == ["c9"], "a new day has room"


def test_a_model_beyond_the_days_bound_is_refused_with_the_rule_and_those_that_came_still_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admitted, "MODELS_PER_DAY_MAX", 2)
    day = AdmittedValues()

    def sent(*skus: str, by: IngestCredential | None = None) -> int:
        values = day.of(NOW)
        events = [labelled(str(n)) for n in range(len(skus))]
        for each, sku in zip(events, skus, strict=True):
            each["data"] |= {"provider": "openai", "sku": sku}
        accepted = taken(*events, values=values, **({"by": by} if by else {}))
        values.keep()
        return len(accepted.events)

    assert sent("a", "b", "a") == 3
    with pytest.raises(RequestRefused) as caught:
        sent("a", "c")
    assert [(each["index"], each["field"]) for each in caught.value.errors] == [(1, "data.sku")]
    assert caught.value.errors[0]["reason"] == (
        "is another model, and 2 of this tenant came today (UTC), the most in a day: send the model's own name, "
        "and put what varies in a label"
    )
    assert sent("b", "a") == 2
    assert sorted(row[3] for row in day.take_unwritten()) == ["openai/a", "openai/b"], (
        "what was refused used none"
    )
    assert sent("c", by=credential(tenant="globex")) == 1, "another tenant has its own"
    day.of(NOW + timedelta(days=1))
    assert sent("c") == 1, "a new day has room"


def test_models_and_labels_use_up_no_room_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all tenants together the day has room for two values and for two models."""
    monkeypatch.setattr(admitted, "VALUES_MAX", 2)
    monkeypatch.setattr(admitted, "MODELS_MAX", 2)
    request = AdmittedValues().of(NOW)

    def came() -> list[str]:
        request.keep()
        return sorted(row[3] for row in request._admitted.take_unwritten())

    for sku in ("a", "b"):
        request.check_model("globex", "openai", sku)
    assert came() == ["openai/a", "openai/b"]
    request.check_model("acme", "openai", "c")
    assert request.folded("acme", Labels(own={"customer": "c1"})) == ()
    assert request.folded("acme", Labels(own={"customer": "c2"})) == ()
    assert came() == ["c1", "c2"], "a model that is too many passes, and is not noted"
    assert request.folded("acme", Labels(own={"customer": "c3"})) == ("customer",)


def test_a_senders_own_word_on_what_is_folded_does_not_count() -> None:
    (kept,) = taken(labelled(customer="c1", folded=["customer"])).events
    assert series_of(kept).own == {"customer": "c1"}
