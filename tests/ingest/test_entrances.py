"""The shell that all entrances share, through the one of our own events: receipts, encodings, bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zstandard

from services.ingest.body import BODY_BYTES_MAX, gunzip, unzstd
from services.ingest.refused import RequestRefused
from tests.ingest.harness import BATCH, Ingest, event
from tests.ingest.test_door import on_topic, problem

RECEIPTS = {"Prefer": "return=representation"}


def receipts(door: Ingest, body: Any, content_type: str = BATCH, **headers: str) -> list[dict[str, Any]]:
    answer = door.post(body, content_type, headers=RECEIPTS | headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["preference-applied"] == "return=representation"
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_each_event_has_a_receipt_and_a_bad_one_refuses_no_other(door: Ingest) -> None:
    bad = event("receipt-1", data={"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": -1}})
    found = receipts(door, [event("receipt-0"), bad, event("receipt-2")])
    assert [(each["index"], each["id"], each["source"], each["status"]) for each in found] == [
        (0, "receipt-0", "bot", "accepted"), (1, "receipt-1", "bot", "rejected"), (2, "receipt-2", "bot", "accepted"),
    ]  # fmt: skip
    assert found[1]["field"] == "data.usage.input_tokens"
    assert found[1]["reason"] == "must be at least 0 and below 2^63"
    assert sorted(each["id"] for each in await on_topic(door, "receipt-0", "receipt-1", "receipt-2")) == [
        "receipt-0", "receipt-2",
    ]  # fmt: skip


def test_equal_content_has_an_equal_hash_and_other_content_another(door: Ingest) -> None:
    other = event("receipt-same", data=event()["data"] | {"usage": {"input_tokens": 6}})
    first, again, changed = receipts(door, [event("receipt-same"), event("receipt-same"), other])
    assert first["hash"] == again["hash"] != changed["hash"]
    assert len(bytes.fromhex(first["hash"])) == 16


def test_one_event_alone_has_a_list_of_one_receipt(door: Ingest) -> None:
    (found,) = receipts(door, event("receipt-alone"), "application/cloudevents+json; charset=utf-8")
    assert (found["id"], found["status"]) == ("receipt-alone", "accepted")


def test_what_names_no_id_has_a_receipt_by_its_place(door: Ingest) -> None:
    (found,) = receipts(door, b'[{"id": 5, "source": ["x"]}]')
    assert found["status"] == "rejected"
    assert "id" not in found
    assert found["reason"]


def test_another_preference_is_no_wish_for_receipts(door: Ingest) -> None:
    for prefer in ("return=minimal", "respond-async", "return=representation-of-mine"):
        assert door.post(event("plain"), headers={"Prefer": prefer}).status_code == 204


def test_another_tenants_event_refuses_all_even_where_receipts_are_asked_for(door: Ingest) -> None:
    problem(door.post([event("mine"), event("theirs", tenant="globex")], BATCH, headers=RECEIPTS), 403)


async def test_a_body_may_be_packed_with_zstd(door: Ingest) -> None:
    packed = zstandard.compress(json.dumps([event("zstd-1"), event("zstd-2")]).encode())
    assert door.post(packed, BATCH, headers={"Content-Encoding": "zstd"}).status_code == 204
    assert len(await on_topic(door, "zstd-1", "zstd-2")) == 2


def test_a_bomb_of_zstd_is_refused_before_it_is_unpacked(door: Ingest) -> None:
    bomb = zstandard.compress(b"[" + b" " * (1 << 28) + b"]")
    found = problem(door.post(bomb, BATCH, headers={"Content-Encoding": "zstd"}), 413)
    assert found["detail"] == f"a request may have at most {BODY_BYTES_MAX} bytes after decompression"


@pytest.mark.parametrize("unpack", [gunzip, unzstd], ids=lambda unpack: unpack.__name__)
def test_a_packed_body_that_is_none_is_refused(unpack: Any) -> None:
    import gzip

    packed = (gzip.compress if unpack is gunzip else zstandard.compress)(b"[1, 2, 3]" * 100)
    assert unpack(packed) == b"[1, 2, 3]" * 100
    for bad in (b"plainly not", packed[:-1], packed + b"more", b""):
        with pytest.raises(RequestRefused) as caught:
            unpack(bad)
        assert caught.value.status == 400


def test_a_senders_claim_of_another_time_is_ingests_word_alone(door: Ingest) -> None:
    """`claimedtime` says that ingest replaced a time; a client that states it says nothing."""
    assert door.post(event("claims", claimedtime="1999-01-01T00:00:00Z")).status_code == 204
