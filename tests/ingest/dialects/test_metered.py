"""Events of other meters' clients: what they mean by everybody's meters and by a tenant's own, and what they cost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from services.ingest.accept import AcceptedEvents, Submission
from services.ingest.credentials import NumberedMeters
from services.ingest.dialects.cloud_events import structured
from services.ingest.dialects.metered import TENANTS_WORD
from services.ingest.entrances import Incoming
from services.ingest.foreign_events import LagoAccepted, LagoRefused, refuse_lago
from services.ingest.own_events import read_own
from services.ingest.refused import RequestRefused
from spendmeter.contracts.events import UsageEvent, encode_event
from spendmeter.contracts.meters import UsageMeter, troubles_with_meter
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.harness import event
from tests.ingest.test_accept import NOW, credential, submission

JSON = "application/json"
LITELLM_ID = "chatcmpl-C1aBcDeFgHiJkLmNoPqRsTuVwXyZa"


def cloud_event(type: str, id: str = "e1", **more: Any) -> dict[str, Any]:
    facts = {"specversion": "1.0", "type": type, "id": id, "source": "svc", "subject": "customer-1"}
    return facts | {"time": "2026-11-23T09:00:00Z", "data": {}} | more


LITELLM = cloud_event("litellm_tokens", LITELLM_ID, source="litellm-proxy", subject="end-1", data={
    "model": "gpt-4o-mini", "cost": 0.00013319999999999999, "prompt_tokens": 1200, "completion_tokens": 50,
    "total_tokens": 1250,
})  # fmt: skip
KONG = [
    cloud_event("kong.llm_request", f"kong-{kind}", source="kong", subject="consumer:7", data={
        "tokens": tokens, "model": "gpt-4o", "provider": "openai", "type": kind, "cache_status": "Miss", "route_id": "r1",
    })
    for kind, tokens in (("request", "1000"), ("response", "200"))
]  # fmt: skip


def asking(
    body: Any,
    *meters: dict[str, Any],
    media_type: str = JSON,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> tuple[Incoming, Submission]:
    own = [msgspec.convert(each, UsageMeter) for each in meters]
    assert not [trouble for each in own for trouble in troubles_with_meter(each)]
    asked = submission(**more)
    numbered = NumberedMeters(number=1, meters={each.event_type: each for each in own})
    asked = replace(asked, snapshot=replace(asked.snapshot, meters={"acme": numbered}))
    incoming = Incoming(
        body=body if isinstance(body, bytes) else json.dumps(body).encode(), media_type=media_type,
        headers=headers or {}, query={}, path={}, url="/api/v1/events", now=NOW,
    )  # fmt: skip
    return incoming, asked


def taken(body: Any, *meters: dict[str, Any], **more: Any) -> AcceptedEvents:
    return read_own(*asking(body, *meters, **more))


def one(body: Any, *meters: dict[str, Any], **more: Any) -> UsageEvent:
    (found,) = taken(body, *meters, **more).events
    return found


def refused(body: Any, *meters: dict[str, Any], **more: Any) -> list[tuple[int | None, str, str]]:
    with pytest.raises(RequestRefused) as caught:
        taken(body, *meters, **more)
    assert caught.value.status in (400, 422)
    return [(bad["index"], bad["field"], bad["reason"]) for bad in caught.value.errors]


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(load_snapshot(), version=1)


def test_litellms_callback_for_openmeter_is_the_call_that_it_names(book: PriceBook) -> None:
    found = taken(LITELLM, media_type="application/cloudevents+json")
    (event,) = found.events
    assert (event.source, event.id, event.subject) == ("call:openai", LITELLM_ID, "litellm-proxy")
    assert (event.data.provider, event.data.sku) == ("openai", "gpt-4o-mini")
    assert event.data.usage == {"input_tokens": 1200, "output_tokens": 50}
    assert event.data.normalised == "assumed"
    assert found.noted == {"quantities assumed": 1}
    assert event.data.labels.user != "end-1"
    assert event.data.reported_cost is not None
    assert event.data.reported_cost.amount == "0.0001332"
    # it does not say what was cached: 1200 x 0.15/M + 50 x 0.60/M = 0.00018 + 0.00003
    assert rate(event, book).list == Decimal("0.00021")
    trusted = one(LITELLM, by=credential(trust_reported_cost=True))
    assert (rate(trusted, book).status, rate(trusted, book).list) == ("reported", Decimal("0.0001332"))


@pytest.mark.parametrize("cost", ["\uff11\uff12", "1_000", "NaN", "Infinity", "-1", True, "9" * 5_000, [1]])
def test_a_cost_is_a_number_or_one_in_plain_digits(cost: Any) -> None:
    ((_, field, reason),) = refused(LITELLM | {"data": LITELLM["data"] | {"cost": cost}})
    assert (field, reason[:17]) == ("data.cost", "must be an amount")


def test_whom_a_meter_calls_a_user_is_a_pseudonym_and_stands_nowhere_else() -> None:
    body = LITELLM | {"subject": "jo@example.com"}
    for sent in (body, {"event": lago(external_subscription_id="jo@example.com")}):
        assert b"jo@example.com" not in encode_event(one(sent))


def test_what_litellm_says_cost_nothing_is_no_event() -> None:
    found = taken(LITELLM | {"data": LITELLM["data"] | {"cost": 0.0}})
    assert (list(found.events), dict(found.skipped)) == ([], {"costs nothing, as its sender says": 1})


def test_what_litellm_does_not_price_is_priced_by_whose_model_it_is() -> None:
    data = {
        "model": "claude-sonnet-4-5",
        "cost": None,
        "prompt_tokens": 7,
        "completion_tokens": 0,
        "total_tokens": 7,
    }
    event = one(LITELLM | {"data": data})
    assert (event.data.provider, event.data.reported_cost, event.data.usage) == (
        "anthropic",
        None,
        {"input_tokens": 7},
    )
    assert one(LITELLM | {"data": data | {"model": "llama3"}}).data.provider == "litellm"


def test_kongs_pair_of_events_costs_what_the_call_cost(book: PriceBook) -> None:
    found = taken([*KONG, cloud_event("kong.api_request", data={"route_id": "r1"})])
    assert [event.data.usage for event in found.events] == [{"input_tokens": 1000}, {"output_tokens": 200}]
    # gpt-4o: 1000 x 2.50/M + 200 x 10/M
    assert sum(rate(event, book).list for event in found.events) == Decimal("0.0045")
    assert found.skipped == {"a gateway's count of its requests": 1}
    assert {event.data.labels.agent for event in found.events} == {"consumer:7"}
    assert b"r1" not in b"".join(map(encode_event, found.events))


def test_what_kongs_cache_answered_is_no_event() -> None:
    hits = [each | {"data": each["data"] | {"cache_status": "Hit"}} for each in KONG]
    assert not taken(hits).events


def test_openmeters_documented_example_is_metered(book: PriceBook) -> None:
    data = {"tokens": "123456", "model": "gpt-4-turbo", "type": "output"}
    event = one(cloud_event("prompt", "00001", data=data))
    assert (event.data.provider, event.data.usage) == ("openai", {"output_tokens": 123456})
    # gpt-4-turbo: 123456 x 30/M
    assert rate(event, book).list == Decimal("3.70368")
    assert one(cloud_event("prompt", data=data | {"type": "system"})).data.usage == {"input_tokens": 123456}
    assert one(cloud_event("prompt", data=data | {"provider": "azure"})).data.provider == "azure"


def test_ours_and_theirs_may_come_together_and_one_bad_refuses_all() -> None:
    ours = event("ours")
    assert [each.id for each in taken([ours, LITELLM, event("o2")]).events] == ["ours", LITELLM_ID, "o2"]
    bad = cloud_event("prompt", data={"tokens": "x", "model": "gpt-4o", "type": "output"})
    assert refused([ours, LITELLM, bad]) == [
        (2, "data.tokens", "must be a number of at least 0, or one in a text")
    ]
    receipts = taken([ours, bad, LITELLM], headers={"prefer": "return=representation"})
    assert [each.id for each in receipts.events] == ["ours", LITELLM_ID]
    assert [each["index"] for each in receipts.refused] == [1]


def test_a_type_that_no_meter_knows_is_refused_and_it_is_said_where_to_declare_one() -> None:
    ((index, field, reason),) = refused(cloud_event("workload", data={"secret": "SECRET"}))
    assert (index, field) == (0, "type")
    assert reason == "no meter knows this event type; declare one: PUT /v1/meters, or `spendmeter meters set`"


def test_a_tenants_meter_says_what_its_events_mean() -> None:
    gpu = {
        "event_type": "workload", "provider": "runpod", "sku": "$.gpu.type", "cost_class": "compute",
        "usage": {"gpu_hours": "$.hours", "requests": "$.jobs"}, "cost": ["$.paid"], "currency": "EUR",
        "labels": {"team": "@subject", "feature": "$.job.name", "environment": "prod"},
    }  # fmt: skip
    data = {
        "gpu": {"type": "h100"},
        "hours": "1.5",
        "jobs": 2,
        "paid": "3.10",
        "job": {"name": 7},
        "log": "SECRET",
    }
    found = one(cloud_event("workload", data=data), gpu)
    assert (found.source, found.id, found.time) == ("svc", "e1", datetime(2026, 11, 23, 9, tzinfo=UTC))
    assert (found.data.provider, found.data.sku, found.data.cost_class) == ("runpod", "h100", "compute")
    assert found.data.usage == {"gpu_hours": Decimal("1.5"), "requests": 2}
    assert found.data.reported_cost is not None
    assert (found.data.reported_cost.amount, found.data.reported_cost.currency) == ("3.1", "EUR")
    labels = found.data.labels
    assert (labels.team, labels.feature, labels.environment) == ("customer-1", "7", "prod")
    assert b"SECRET" not in encode_event(found)


def test_a_tenants_meter_goes_before_everybodys() -> None:
    mine = {"event_type": "prompt", "provider": "groq", "sku": "$.m", "counted": True, "unit": "requests"}
    found = one(cloud_event("prompt", data={"m": "llama"}), mine)
    assert (found.data.provider, found.data.usage) == ("groq", {"requests": 1})
    ignored = taken(cloud_event("prompt"), {"event_type": "prompt", "ignored": "ours are counted elsewhere"})
    assert (ignored.events, ignored.skipped) == ([], {TENANTS_WORD: 1}), (
        "its reason would be in everybody's metrics"
    )


def test_a_meter_may_read_a_vendors_own_usage() -> None:
    meter = {
        "event_type": "answer", "provider": "anthropic", "sku": "$.model", "dialect": "anthropic",
        "usage_at": "$.usage", "is_call": True,
    }  # fmt: skip
    usage = {"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 10}
    sent = cloud_event(
        "answer", "msg_01XFDUDYJgAACzvnptvVoYEL", data={"model": "claude-sonnet-4-5", "usage": usage}
    )
    found = one(sent, meter)
    assert (found.source, found.data.usage) == (
        "call:anthropic", {"input_tokens": 5, "cache_read_tokens": 100, "output_tokens": 10},
    )  # fmt: skip
    ((_, field, _),) = refused(
        cloud_event("answer", data={"model": "m", "usage": {"input_tokens": "SECRET"}}), meter
    )
    assert field == "data.usage"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"), ({"source": None}, "source"), ({"specversion": "0.3"}, "specversion"),
        ({"data": "x"}, "data"), ({"data_base64": "eA=="}, "data_base64"), ({"time": "yesterday"}, "time"),
        ({"data": {"model": "gpt-4o", "type": "output"}}, "data.tokens"),
        ({"data": {"tokens": 1, "type": "output"}}, "data.model"),
        ({"data": {"tokens": 1, "model": "gpt-4o", "type": "SECRET"}}, "data.type"),
        ({"data": {"tokens": -1, "model": "gpt-4o", "type": "output"}}, "data.tokens"),
        ({"data": {"tokens": True, "model": "gpt-4o", "type": "output"}}, "data.tokens"),
        ({"data": {"tokens": "1e99", "model": "gpt-4o", "type": "output"}}, "data.tokens"),
        ({"data": {"tokens": 1.5, "model": "gpt-4o", "type": "output"}}, "data.usage.output_tokens"),
    ],
)  # fmt: skip
def test_what_an_event_lacks_is_named_and_nothing_of_it_quoted(change: dict[str, Any], field: str) -> None:
    data = {"tokens": 1, "model": "gpt-4o", "type": "output"}
    ((_, named, reason),) = refused(cloud_event("prompt", data=data) | change)
    assert named == field
    assert "SECRET" not in reason


def test_an_event_of_nothing_is_none() -> None:
    found = taken(cloud_event("prompt", data={"tokens": 0, "model": "gpt-4o", "type": "output"}))
    assert dict(found.skipped) == {"no usage": 1}


def test_attributes_that_are_null_are_not_there() -> None:
    """As OpenMeter's newest client writes them."""
    sent = LITELLM | {"time": None, "datacontenttype": None, "dataschema": None, "subject": None}
    found = one(sent)
    assert (found.time, found.subject) == (NOW, "litellm-proxy")


def test_another_tenants_event_is_forbidden_whoever_wrote_it() -> None:
    with pytest.raises(RequestRefused) as caught:
        taken(LITELLM | {"tenant": "globex"})
    assert caught.value.status == 403


def test_an_operators_key_is_metered_by_the_tenant_that_it_names() -> None:
    meter = {"event_type": "job", "provider": "p", "sku": "s", "counted": True, "unit": "requests"}
    operator = credential("")
    assert one(cloud_event("job", tenant="acme"), meter, by=operator).tenant == "acme"
    ((_, field, _),) = refused(cloud_event("job", tenant="globex"), meter, by=operator)
    assert field == "type"


def test_the_binary_mode_is_the_structured_one_with_headers() -> None:
    headers = {
        "ce-specversion": "1.0", "ce-type": "litellm_tokens", "ce-id": LITELLM_ID, "ce-source": "litellm%2Dproxy",
        "ce-subject": "end-1", "content-type": JSON,
    }  # fmt: skip
    found = one(json.dumps(LITELLM["data"]).encode(), headers=headers)
    assert (found.id, found.subject, found.data.usage["input_tokens"]) == (LITELLM_ID, "litellm-proxy", 1200)
    ours = event("binary")
    headers = {f"ce-{name}": ours[name] for name in ("specversion", "type", "id", "source", "subject")}
    assert one(json.dumps(ours["data"]).encode(), headers=headers).id == "binary"
    assert json.loads(structured(headers, b"")) == {name: ours[name] for name in ours if name != "data"}
    with pytest.raises(RequestRefused):
        taken(b'1},{"x":', headers=headers)


def lago(**more: Any) -> dict[str, Any]:
    return {
        "transaction_id": "tx-1", "external_subscription_id": "acme-sub", "code": "litellm_tokens",
        "timestamp": 1795424400, "properties": dict(LITELLM["data"], response_cost=LITELLM["data"]["cost"]),
    } | more  # fmt: skip


def test_a_lago_event_is_metered_by_its_code_and_answered_as_lago_does() -> None:
    found = taken({"event": lago()})
    assert isinstance(found, LagoAccepted)
    (event,) = found.events
    assert (event.id, event.source, event.subject) == ("tx-1", "lago", "lago")
    assert event.time == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert event.data.usage == {"input_tokens": 1200, "output_tokens": 50}
    answer = json.loads(found.answer)["event"]
    assert (answer["transaction_id"], answer["code"]) == ("tx-1", "litellm_tokens")
    assert answer["timestamp"] == "2026-11-23T09:00:00+00:00"
    assert answer["properties"]["prompt_tokens"] == 1200
    assert answer["lago_id"] == json.loads(taken({"event": lago()}).answer)["event"]["lago_id"]  # type: ignore[attr-defined]


def test_many_lago_events_are_taken_all_or_none() -> None:
    found = taken({"events": [lago(), lago(transaction_id="tx-2", timestamp="1795424400.250")]})
    assert [event.id for event in found.events] == ["tx-1", "tx-2"]
    assert found.events[1].time == datetime(2026, 11, 23, 9, 0, 0, 250000, tzinfo=UTC)
    with pytest.raises(LagoRefused) as caught:
        taken({"events": [lago(), lago(transaction_id=None), lago(code="unheard-of", timestamp="SECRET")]})
    answer = json.loads(bytes(refuse_lago(caught.value).body))
    assert (answer["status"], answer["error"], answer["code"]) == (
        422,
        "Unprocessable Entity",
        "validation_errors",
    )
    assert answer["error_details"] == {
        "1": {"transaction_id": ["value_is_mandatory"]}, "2": {"timestamp": ["invalid_format"]},
    }  # fmt: skip


def test_one_lago_event_that_is_bad_names_its_fields_alone() -> None:
    with pytest.raises(LagoRefused) as caught:
        taken({"event": lago(code="unheard-of")})
    answer = json.loads(bytes(refuse_lago(caught.value).body))
    assert list(answer["error_details"]) == ["code"]
    assert "no meter knows" in answer["error_details"]["code"][0]
    for bad in ({"event": 5}, {"event": {}}, {"event": lago(properties=[])}):
        with pytest.raises(LagoRefused):
            taken(bad)
