"""Outcomes at the door: beside usage events in one request, through the same gate, on a topic of their own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from services.ingest import publish
from services.ingest.accept import AcceptedEvents, accept, accept_translated
from services.ingest.dialects.translated import Translated, outcome_event, usage_event
from services.ingest.publish import Publisher
from services.ingest.refused import RequestRefused
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.outcomes import OUTCOME_TYPE, encode_outcome, outcome_hash, read_outcome
from spendmeter.contracts.topics import USAGE_OUTCOMES
from tests.ingest.harness import BATCH, Ingest, event, records_of
from tests.ingest.test_accept import NOW, credential, refused, submission


def outcome(id: str = "o1", **fields: Any) -> dict[str, Any]:
    """As a client sends it."""
    data = fields.pop("data", {"name": "refund_resolved"})
    sent = {
        "specversion": "1.0",
        "type": OUTCOME_TYPE,
        "id": id,
        "source": "helpdesk",
        "subject": "acme/helpdesk",
    }
    return {**sent, "data": data, **fields}


def taken(sent: Any, **more: Any) -> AcceptedEvents:
    return accept(json.dumps(sent).encode(), "either", submission(**more))


def test_a_batch_of_both_is_told_apart_by_type_each_with_its_place() -> None:
    found = taken([outcome("o1"), event("e1"), outcome("o2", data={"reverses": "o1"}), event("e2")])
    assert [each.id for each in found.events] == ["e1", "e2"]
    assert [each.id for each in found.outcomes] == ["o1", "o2"]
    assert (found.places, found.outcome_places, found.count) == ([1, 3], [0, 2], 4)


def test_an_outcome_is_stamped_like_an_event_and_its_user_is_a_pseudonym() -> None:
    labels = {"run": "run-81", "user": "jo@example.com"}
    asked = submission()
    body = json.dumps(outcome(data={"name": "done", "labels": labels}, tenant="acme")).encode()
    [kept] = accept(body, "either", asked).outcomes
    assert (kept.tenant, kept.keyid, kept.time, kept.receivedat) == ("acme", "k7f3a00000000", NOW, NOW)
    assert b"jo@" not in encode_outcome(kept)
    [waiting] = asked.users.unsettled.values()  # for the pseudonym that is about to be read
    assert waiting[0] is kept.data.labels
    assert kept.identity == identity("acme", "helpdesk", "o1")
    written = encode_outcome(kept)
    assert encode_outcome(read_outcome(written)) == written


def test_what_nobody_knows_is_dropped_and_named_as_of_an_event() -> None:
    data = {
        "name": "done",
        "prompt": "CANARY",
        "labels": {"run": "r", "customer": "CANARY", "own": {"x": "CANARY"}},
    }
    found = taken(outcome(data=data, extra="CANARY"))
    assert set(found.dropped) == {"extra", "data.prompt", "data.labels.customer", "data.labels.own.x"}
    assert b"CANARY" not in encode_outcome(found.outcomes[0])
    by = credential()
    asked = submission(by)
    declared = asked.snapshot.__class__(
        credentials={by.key_id: by},
        pseudonym_keys=asked.snapshot.pseudonym_keys,
        tenants=asked.snapshot.tenants,
        read_at=0,
        dimensions={"acme": frozenset({"customer"})},
    )
    body = json.dumps([outcome(data=data), event()]).encode()
    found = accept(body, "either", submission(by, snapshot=declared))
    assert found.outcomes[0].data.labels.own == {"customer": "CANARY"}
    assert found.outcomes[0].data.labels.folded == ()


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (outcome(data={}), "data.name"),
        (outcome(data={"accepted": True, "verdict_on": "x", "count": 3}), "data.count"),
        (outcome(time="2028-01-01T00:00:00Z"), "time"),
        (outcome(data={"name": "a\u202eb"}), "data.name"),
        (outcome(data={"name": "done", "usage": {"input_tokens": 1}}, specversion="2.0"), "specversion"),
        ({**event(), "type": OUTCOME_TYPE}, "data.name"),
        ({**outcome(), "type": "spendmeter.outcome.v2"}, ""),
    ],
)
def test_a_bad_outcome_refuses_the_request_and_is_named_by_index_and_field(
    bad: dict[str, Any], field: str
) -> None:
    errors = refused([event(), bad]).errors
    assert [each["index"] for each in errors] == [1]
    assert errors[0]["field"] == field or not field


def test_an_outcome_of_another_tenant_is_forbidden_and_an_operators_key_names_one() -> None:
    assert refused(outcome(tenant="globex")).status == 403
    operator = credential(tenant="")
    assert [each["field"] for each in refused(outcome(), by=operator).errors] == ["tenant"]
    [kept] = taken(outcome(tenant="globex"), by=operator).outcomes
    assert kept.tenant == "globex"


def test_a_label_that_holds_the_word_makes_no_outcome_of_a_usage_event() -> None:
    sent = event()
    sent["data"]["labels"]["feature"] = OUTCOME_TYPE
    assert (len(taken([sent]).events), len(taken(sent).outcomes)) == (1, 0)


def test_a_dialects_outcomes_go_through_the_same_gate() -> None:
    found = Translated()
    found.take(
        0, usage_event(id="c", source="otlp", provider="openai", sku="gpt-4o", usage={"input_tokens": 7})
    )
    found.outcome(1, outcome_event(id="pr-1", source="otlp", name="pull_request", count=2, time=NOW))
    value = {"amount": "4.20", "currency": "USD"}
    found.outcome(2, outcome_event(id="v", source="otlp", name="merged", value=value, accepted=False))
    found.outcome(3, outcome_event(id="r", source="otlp", reverses="pr-1", target_source="ci"))
    found.outcome(4, outcome_event(id="bad", source="otlp"))
    answer = accept_translated(found, submission(), partly=True)
    assert [(each.id, each.kind, each.data.count) for each in answer.outcomes] == [
        ("pr-1", "outcome", 2),
        ("v", "outcome", 1),
        ("r", "reversal", 1),
    ]
    assert answer.outcomes[1].data.accepted is False
    assert [(each["index"], each["field"]) for each in answer.refused] == [(4, "data.name")]
    with pytest.raises(RequestRefused) as caught:
        accept_translated(found, submission(), partly=True, events_max=4)
    assert caught.value.status == 413


async def test_a_request_is_answered_when_both_topics_have_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three requests the first has both, the second usage alone, the third outcomes alone; usage.outcomes fails."""
    sent: dict[str, int] = {}

    async def send(
        _producer: Any, topic: str, _partition: int, records: list[Any]
    ) -> list[asyncio.Future[None]]:
        sent[topic] = sent.get(topic, 0) + len(records)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_exception(KafkaError("away")) if topic == "outcomes" else done.set_result(None)
        return [done]

    monkeypatch.setattr(publish, "send_batches", send)
    publisher = Publisher("events", "outcomes", lambda: None)  # type: ignore[arg-type,return-value]
    publisher._partitions, publisher._trouble = {"events": 3, "outcomes": 1}, ""
    publisher._answered.beat()
    both = taken([event("e1"), outcome("o1")])
    asked = [
        asyncio.ensure_future(publisher.publish(events, [], outcomes))
        for events, outcomes in ((both.events, both.outcomes), (both.events, ()), ((), both.outcomes))
    ]
    await asyncio.sleep(0)
    assert isinstance(await publisher._flush(None, publisher._take()), KafkaError)  # type: ignore[arg-type]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [getattr(each, "status", None) for each in answers] == [503, None, 503]
    assert sent == {"events": 2, "outcomes": 2}


async def test_acknowledged_outcomes_are_on_their_topic_and_receipts_name_both(door: Ingest) -> None:
    answer = door.post([event("with-outcome"), outcome("of-door"), outcome("v", data={"verdict_on": "x"})])
    assert answer.status_code == 400
    data = {"name": "done", "labels": {"user": "jo@example.com"}}
    answer = door.post(
        [event("with-outcome"), outcome("of-door", data=data), outcome("v", data={"verdict_on": "x"})],
        BATCH,
        headers={"Prefer": "return=representation"},
    )
    assert answer.status_code == 200, answer.text
    receipts = answer.json()
    assert [(each["index"], each["id"], each["status"]) for each in receipts] == [
        (0, "with-outcome", "accepted"),
        (1, "of-door", "accepted"),
        (2, "v", "rejected"),
    ]
    records = await records_of(door.kafka, door.prefix + USAGE_OUTCOMES.name, partitions=1)
    [record] = [each for each in records if b'"of-door"' in each.value]
    kept = read_outcome(record.value)
    assert kept.data.labels.user.startswith("user:")
    assert record.key == kept.identity == identity("acme", "helpdesk", "of-door")
    assert receipts[1]["hash"] == outcome_hash(kept).hex()
    assert [r for r in await records_of(door.kafka, door.topic) if b"of-door" in r.value] == []
