"""The pure part of ingest: a request's bytes become stamped events, or every reason why they do not."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.ingest.accept import EVENTS_MAX, WHOLE_BYTES_MAX, Submission, accept
from services.ingest.admitted import AdmittedValues
from services.ingest.body import BODY_BYTES_MAX, gunzip
from services.ingest.content_type import FORMS, media_type_of
from services.ingest.credentials import IngestCredential, Snapshot, authenticate
from services.ingest.pseudonyms import UserNames, keyed
from services.ingest.publish import by_partition
from services.ingest.refused import RequestRefused
from services.ingest.unknown_units import NAMES_PER_DAY_MAX, Admission, UnknownUnits
from spendmeter import contracts
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import encode_event
from spendmeter.contracts.topics import partition_of
from tests.charges import RECEIVED, charge_body
from tests.ingest.harness import event

NOW = datetime(2026, 11, 23, 10, 0, 0, 391000, tzinfo=UTC)
EXAMPLES = Path(contracts.__path__[0], "examples")
SECRET = b"s" * 32


def credential(tenant: str = "acme", **more: Any) -> IngestCredential:
    facts: dict[str, Any] = {
        "key_id": "k7f3a00000000", "tenant": tenant, "secret_sha256": b"", "scopes": frozenset({"ingest"}),
        "trust_reported_cost": False, "expires_at": None,
    }  # fmt: skip
    return IngestCredential(**facts | more)


def submission(by: IngestCredential | None = None, **more: Any) -> Submission:
    by = by or credential()
    snapshot = Snapshot(
        credentials={by.key_id: by},
        pseudonym_keys={("acme", date(2026, 11, 1)): SECRET},
        tenants=frozenset({"acme", "globex"}),
        read_at=0,
    )
    facts = {
        "credential": by, "snapshot": snapshot, "now": NOW, "age_max": timedelta(days=400),
        "units": UnknownUnits().of(NOW), "values": AdmittedValues().of(NOW),
        "users": UserNames(known={}, unsettled={}),
    }  # fmt: skip
    return Submission(**facts | more)


def taken(sent: Any, **more: Any) -> list[Any]:
    return list(accept(json.dumps(sent).encode(), "either", submission(**more)).events)


def refused(sent: Any, **more: Any) -> RequestRefused:
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    with pytest.raises(RequestRefused) as caught:
        accept(body, "either", submission(**more))
    return caught.value


def test_what_a_client_sends_becomes_the_golden_event() -> None:
    sent = (EXAMPLES / "usage_event.sent.json").read_bytes()
    user = ("acme", date(2026, 11, 1), keyed(SECRET, json.loads(sent)["data"]["labels"]["user"]))
    stored = json.loads((EXAMPLES / "usage_event.model.json").read_bytes())["data"]["labels"]["user"]
    known = UserNames(known={user: stored}, unsettled={})
    [found] = accept(sent, "one", submission(users=known)).events
    assert msgspec.json.format(encode_event(found), indent=2) + b"\n" == (
        (EXAMPLES / "usage_event.model.json").read_bytes()
    )


def test_one_event_and_a_batch_of_one_are_the_same() -> None:
    assert taken(event()) == taken([event()])


def test_an_event_without_a_time_happened_when_it_was_received() -> None:
    [found] = taken(event())
    assert found.time == found.receivedat == NOW


def test_what_only_ingest_may_say_is_overwritten() -> None:
    forged = event(keyid="kforged", receivedat="2020-01-01T00:00:00Z", trustreportedcost=True)
    [found] = taken(forged)
    assert (found.keyid, found.receivedat, found.trustreportedcost) == ("k7f3a00000000", NOW, False)


def test_the_keys_trust_in_reported_costs_is_stamped() -> None:
    [found] = taken(event(), by=credential(trust_reported_cost=True))
    assert found.trustreportedcost


def test_a_user_leaves_ingest_as_a_pseudonym_of_the_tenant_and_month() -> None:
    sent = event()
    sent["data"]["labels"]["user"] = "maria"
    maria = ("acme", date(2026, 11, 1), hmac.new(SECRET, b"maria", hashlib.sha256).digest())
    [found] = taken(sent, users=UserNames(known={maria: "user:1f"}, unsettled={}))
    assert found.data.labels.user == "user:1f"
    new = UserNames(known={}, unsettled={})
    [found] = taken(sent, users=new)
    assert found.data.labels.user == "", "until it is settled, nothing is there"
    assert list(new.unsettled) == [maria]
    [labels] = new.unsettled[maria]
    assert labels is found.data.labels


def test_a_user_without_a_key_of_the_month_is_a_503_and_others_are_taken() -> None:
    sent = event()
    sent["data"]["labels"]["user"] = "maria"
    december = datetime(2026, 12, 1, tzinfo=UTC)
    assert refused(sent, now=december).status == HTTPStatus.SERVICE_UNAVAILABLE
    assert taken(event(), now=december)


def test_naming_ones_own_tenant_is_taken_and_anothers_is_forbidden() -> None:
    assert taken(event(tenant="acme"))[0].tenant == "acme"
    error = refused([event("1"), event("2", tenant="globex")])
    assert (error.status, "globex" in error.detail) == (HTTPStatus.FORBIDDEN, False)


def test_anothers_tenant_forbids_the_request_even_among_bad_events() -> None:
    assert refused([event(type="x"), event(tenant="globex")]).status == HTTPStatus.FORBIDDEN


def test_an_operator_names_an_existing_tenant_in_each_event() -> None:
    operator = credential("")
    assert [e.tenant for e in taken([event(tenant="acme"), event(tenant="globex")], by=operator)] == [
        "acme",
        "globex",
    ]
    error = refused([event(), event(tenant="acme"), event(tenant="nobody")], by=operator)
    assert [(bad["index"], bad["field"]) for bad in error.errors] == [(0, "tenant"), (2, "tenant")]


@pytest.mark.parametrize("padding", [0, WHOLE_BYTES_MAX], ids=["decoded whole", "decoded one by one"])
def test_every_bad_event_is_named_with_its_index_and_field(padding: int) -> None:
    bad_usage = event("2", data={"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": -1}})
    sent = [
        event("0"),
        event("1", type="llm"),
        bad_usage,
        event("3"),
        event("4", time="2020-01-01T00:00:00Z"),
    ]
    body = json.dumps(sent).encode() + b" " * padding
    error = refused(body)
    assert error.status == HTTPStatus.BAD_REQUEST
    named = [(bad["index"], bad["field"]) for bad in error.errors]
    assert named == [(1, "type"), (2, "data.usage.input_tokens"), (4, "time")]
    assert error.errors[0]["reason"] == "unknown type; this endpoint takes 'spendmeter.usage.v1'"


@pytest.mark.parametrize(
    "more",
    [
        {"type": "tell-nobody"}, {"specversion": "tell-nobody - at `$.x`"}, {"time": "2020-01-01T00:00:00Z"}, {"tenant": "tell-nobody"},
        {"data": event()["data"] | {"cost_class": "tell-nobody"}}, {"data": event()["data"] | {"usage": {"input_tokens": "tell-nobody"}}},
        {"data": event()["data"] | {"reported_cost": {"amount": "tell-nobody", "currency": "tell-nobody"}}},
    ],
)  # fmt: skip
def test_a_reason_repeats_nothing_that_was_sent(more: dict[str, Any]) -> None:
    error = refused([event("1"), event("2", **more)])
    assert "tell-nobody" not in f"{error} {error.errors}"
    assert "2020" not in f"{error} {error.errors}"


@pytest.mark.parametrize(
    ("ahead", "good"), [(timedelta(minutes=59), True), (timedelta(minutes=61), False),
                        (timedelta(days=-399), True), (timedelta(days=-401), False)],
)  # fmt: skip
def test_a_time_lies_between_the_dedupe_horizon_and_an_hour_ahead(ahead: timedelta, good: bool) -> None:
    sent = event(time=(NOW + ahead).isoformat())
    assert taken(sent) if good else refused(sent).errors[0]["field"] == "time"


@pytest.mark.parametrize("padding", [0, WHOLE_BYTES_MAX], ids=["decoded whole", "decoded one by one"])
def test_a_request_has_a_thousand_events_at_most(padding: int) -> None:
    def body(count: int) -> bytes:
        return json.dumps([event(str(n)) for n in range(count)]).encode() + b" " * padding

    assert len(accept(body(EVENTS_MAX), "many", submission()).events) == EVENTS_MAX
    assert refused(body(EVENTS_MAX + 1)).status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_an_empty_batch_is_taken() -> None:
    assert taken([]) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"7", b'"text"', b"[", b"[1]", b"[[]]", b"{", b"[" * 100_000, b'{"a":' * 100_000,
     b"[" + b"[" * 100_000 + b"]" * 100_000 + b"]", b"\xff\xfe", b"[" + b"{}," * 400_000 + b"{}]", b"\xef\xbb\xbf{}"],
)  # fmt: skip
def test_a_body_that_is_no_list_of_events_is_refused(body: bytes) -> None:
    error = refused(body)
    assert error.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    assert error.errors or error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_the_content_type_says_whether_one_or_many_come() -> None:
    one, many = json.dumps(event()).encode(), json.dumps([event()]).encode()
    assert FORMS[media_type_of("application/cloudevents+json; charset=UTF-8", FORMS)] == "one"
    for body, form in ((one, "many"), (many, "one")):
        with pytest.raises(RequestRefused) as caught:
            accept(body, FORMS[f"application/cloudevents{'-batch' * (form == 'many')}+json"], submission())
        assert caught.value.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "application/json; charset=latin-1"]
)
def test_another_content_type_is_415(content_type: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        media_type_of(content_type, FORMS)
    assert caught.value.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def test_a_partition_follows_from_the_identity() -> None:
    events = taken([event(str(n)) for n in range(40)])
    for partition, records in by_partition(events, 7, []).items():
        for key, value, _ in records:
            assert key is not None
            found = read_event(value)
            assert key == identity("acme", found.source, found.id)
            assert partition == partition_of(key, 7)


def test_gzip_never_unpacks_beyond_its_bound() -> None:
    import gzip

    assert gunzip(gzip.compress(b"x" * BODY_BYTES_MAX)) == b"x" * BODY_BYTES_MAX
    for packed, status in (
        (gzip.compress(b"x" * (BODY_BYTES_MAX + 1)), HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (gzip.compress(b"x" * 100)[:-9], HTTPStatus.BAD_REQUEST),
        (gzip.compress(b"") * 50_000, HTTPStatus.BAD_REQUEST),
        (b"not gzip", HTTPStatus.BAD_REQUEST),
        (b"", HTTPStatus.BAD_REQUEST),
    ):
        with pytest.raises(RequestRefused) as caught:
            gunzip(packed)
        assert caught.value.status == status


def test_a_key_opens_only_what_it_may() -> None:
    secret = "A" * 43
    known = credential(secret_sha256=hashlib.sha256(secret.encode()).digest(), key_id="k7f3a00000000")
    snapshot = submission(known).snapshot
    header = f"Bearer sm_live_k7f3a00000000_{secret}"
    assert authenticate(snapshot, header, NOW) is known
    for wrong in (
        "",
        "Bearer",
        "Bearer x",
        f"Basic {header}",
        header[:-1] + "B",
        header.replace("7f3a", "7f3b"),
    ):
        with pytest.raises(RequestRefused) as caught:
            authenticate(snapshot, wrong, NOW)
        assert caught.value.status == HTTPStatus.UNAUTHORIZED
        assert "WWW-Authenticate" in caught.value.headers
    expired = submission(credential(secret_sha256=known.secret_sha256, expires_at=NOW)).snapshot
    with pytest.raises(RequestRefused, match="expired"):
        authenticate(expired, header, NOW)
    reader = submission(credential(secret_sha256=known.secret_sha256, scopes=frozenset({"read"}))).snapshot
    with pytest.raises(RequestRefused) as caught:
        authenticate(reader, header, NOW)
    assert caught.value.status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("padding", [0, WHOLE_BYTES_MAX], ids=["decoded whole", "decoded one by one"])
def test_fields_that_nobody_knows_are_named_and_the_rest_goes_on(padding: int) -> None:
    odd = event("2")
    odd["data"]["labels"]["costcenter"] = "cc-7"
    body = json.dumps([event("1"), odd, event("3", cost=1)]).encode() + b" " * padding
    accepted = accept(body, "many", submission())
    assert sorted(accepted.dropped) == ["cost", "data.labels.costcenter"]
    assert [each.id for each in accepted.events] == ["1", "2", "3"]
    assert b"cc-7" not in b"".join(map(encode_event, accepted.events))
    assert not accept(json.dumps([event()]).encode(), "many", submission()).dropped


@pytest.mark.parametrize("padding", [0, WHOLE_BYTES_MAX], ids=["decoded whole", "decoded one by one"])
def test_bytes_that_are_no_utf8_in_a_dropped_field_go_with_it_and_the_event_goes_on(padding: int) -> None:
    odd = json.dumps(event("1")).encode()[:-1] + b', "\xff\xfe": 1}'
    accepted = accept(b"[" + odd + b"]" + b" " * padding, "many", submission())
    assert ([each.id for each in accepted.events], accepted.dropped) == (["1"], ["??"])


@pytest.mark.parametrize("padding", [0, WHOLE_BYTES_MAX], ids=["decoded whole", "decoded one by one"])
def test_what_a_newer_rule_refuses_is_named_among_good_events(padding: int) -> None:
    def using(id: str, **usage: int) -> dict[str, Any]:
        return event(id, data={"provider": "openai", "sku": "gpt-4o", "usage": usage})

    sent = [
        event("0"),
        using("1", prompt_tokens=100),
        using("2", input_tokens=2**62),
        using("3", input_token=1),
    ]
    error = refused(json.dumps(sent).encode() + b" " * padding)
    named = [(bad["index"], bad["field"]) for bad in error.errors]
    assert named == [(1, "data.usage.prompt_tokens"), (2, "data.usage.input_tokens")]


def test_a_label_leaves_in_normal_form_c_and_a_user_is_one_person_in_both_forms() -> None:
    users = set()
    for team, user in (("caf\u00e9", "zo\u00e9"), ("cafe\u0301", "zoe\u0301")):
        sent = event()
        sent["data"]["labels"] = {"team": team, "user": user}
        [found] = taken(sent)
        assert found.data.labels.team == "caf\u00e9"
        users.add(found.data.labels.user)
    assert len(users) == 1


def using(*units: str) -> dict[str, Any]:
    """An event of one of each unit."""
    return event(data={"provider": "openai", "sku": "gpt-4o", "usage": dict.fromkeys(units, 1)})


def test_a_tenant_that_makes_up_names_of_units_is_refused_the_201st_of_a_day_and_the_others_still_pass() -> (
    None
):
    door = UnknownUnits()

    def sent(*events: dict[str, Any], at: datetime = NOW, by: IngestCredential | None = None) -> Admission:
        units = door.of(at)
        taken(list(events), units=units, now=at, by=by)
        units.keep()
        return units

    assert NAMES_PER_DAY_MAX == 200
    for first in range(0, 199, 50):  # 50, 50, 50 and 49 names
        sent(using("input_tokens", *(f"job_{n}" for n in range(first, min(first + 50, 199)))))
    over = refused([using("job_199"), using("job_200")], units=door.of(NOW))
    [bad] = over.errors
    assert (bad["index"], bad["field"]) == (1, "data.usage.job_200")
    assert "no registered unit" in bad["reason"] and "200 other such names of this tenant" in bad["reason"]
    sent(using("job_200"))  # the refused request has used nothing up
    assert refused([using("job_201")], units=door.of(NOW)).errors
    sent(using("job_7", "job_200", "input_tokens"), using("output_tokens"))
    sent(using("job_201"), by=credential("globex"))
    sent(using("job_201"), at=NOW + timedelta(hours=14))  # the next day


def test_a_charge_is_sent_by_keys_that_import_and_usage_by_keys_that_ingest() -> None:
    importer, old = credential(scopes=frozenset({"import"})), "2024-09-01T00:00:00Z"
    bill = [charge_body("-1.50") | {"time": old, "receivedat": None, "tenant": ""}]
    del bill[0]["receivedat"]
    (event_of_bill,) = taken(bill, by=importer, now=RECEIVED)
    assert (event_of_bill.data.charge.list, event_of_bill.keyid) == ("-1.5", "k7f3a00000000")
    refusal = refused(bill, now=RECEIVED)
    assert refusal.status == HTTPStatus.FORBIDDEN
    assert "only keys with the scope 'import'" in refusal.detail
    refusal = refused([event()], by=importer)
    assert refusal.status == HTTPStatus.FORBIDDEN
    assert "sends charges, and no usage" in refusal.detail


def test_a_charge_keeps_its_time_where_usage_would_get_that_of_receipt() -> None:
    importer = credential(scopes=frozenset({"import"}))
    bill = [charge_body() | {"time": "2014-09-01T00:00:00Z"}]
    refusal = refused(bill, by=importer, keeps_late=True, now=RECEIVED)
    assert refusal.errors[0]["field"] == "time"
