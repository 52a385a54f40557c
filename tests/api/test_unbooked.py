"""What was not booked: listed, filtered, counted by fault, and linked to what was booked instead."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from services.api.events.remedies import became, remedy
from services.api.events.unbooked import COUNTED_MAX
from tests.api.book import TOPIC, Book
from tests.api.test_events import LINES, event

TOO_MUCH = "data.usage.input_tokens: {} is more than one event may state of input_tokens: at most 1000"


async def listed(client: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/unbooked", params=asked)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["unbooked"]
    return rows


async def counted(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/v1/unbooked/faults", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_was_not_booked_is_listed_by_outcome(acme: httpx.AsyncClient, book: Book) -> None:
    for number in range(3):
        await book.unbooked("acme", "bot", f"r{number}", "rejected", "bad")
    await book.unbooked("acme", "bot", "d", "duplicate", "again")
    await book.unbooked("globex", "bot", "theirs", "rejected", "bad")
    answer = (await acme.get("/v1/unbooked", params={"limit": 2})).json()
    assert [row["id"] for row in answer["unbooked"]] == ["r2", "r1"]
    rest = (await acme.get("/v1/unbooked", params={"limit": 2, "cursor": answer["next_cursor"]})).json()
    assert ([row["id"] for row in rest["unbooked"]], rest["next_cursor"]) == (["r0"], None)
    [duplicate] = (await acme.get("/v1/unbooked", params={"outcome": "duplicate"})).json()["unbooked"]
    assert (duplicate["id"], duplicate["reason"]) == ("d", "again")
    assert duplicate["what_to_do"] == "nothing: it is in the book once"


async def test_it_is_filtered_by_key_source_and_a_part_of_the_reason(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.unbooked("acme", "bot", "a", "rejected", TOO_MUCH.format(5000), "k1")
    await book.unbooked("acme", "bots/2", "b", "conflict", "another event was booked before", "k2")
    await book.unbooked("acme", "bot", "c", "rejected", "time: is missing")
    for asked, ids in (
        ({"key": "k1"}, ["a"]), ({"key": ""}, ["c"]), ({"source": "bots/2"}, ["b"]), ({"outcome": "rejected"}, ["c", "a"]),
        ({"reason": "IS MISSING"}, ["c"]), ({"reason": TOO_MUCH.format("…").replace("1000", "…")}, ["a"]),
        ({"reason": "100%_"}, []), ({"from": "2026-11-01", "to": "2026-11-02"}, []),
    ):  # fmt: skip
        assert [row["id"] for row in await listed(acme, **asked)] == ids, asked
    assert (await acme.get("/v1/unbooked?reason=%00")).status_code == 422


async def test_the_row_of_a_rejection_is_resolved_by_the_event_that_names_it(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.unbooked("acme", "bot", "bad", "rejected", "time: is missing")
    await book.unbooked("acme", "bot", "open", "conflict", "another event was booked before")
    await book.supersession("acme", "bot", "bad", "good")
    await book.supersession("globex", "bot", "open", "theirs")
    waiting, done = await listed(acme)
    assert (done["id"], done["booked_instead"]["source"], done["booked_instead"]["id"]) == (
        "bad",
        "bot",
        "good",
    )
    assert done["what_to_do"] == "nothing: another event was booked instead"
    assert (waiting["booked_instead"], "compare what was sent" in waiting["what_to_do"]) == (None, True)
    assert [row["id"] for row in await listed(acme, resolved=True)] == ["bad"]
    assert [row["id"] for row in await listed(acme, resolved=False)] == ["open"]


async def test_what_was_booked_instead_and_is_retracted_leaves_the_unbooked_one_open_again(
    acme: httpx.AsyncClient, book: Book
) -> None:
    """Of what was sent once more under another id, and of what was under its own."""
    await book.unbooked("acme", "bot", "bad", "conflict", "another event was booked before")
    await book.unbooked("acme", "bot", "again", "rejected", "time: is missing")
    await book.supersession("acme", "bot", "bad", "good")
    for name in ("good", "again"):
        await book.entry(event(name, source="bot"), "0.01", LINES)
    assert [row["id"] for row in await listed(acme, resolved=False)] == []
    for name in ("good", "again"):
        await book.entry(event(name, source="bot"), "-0.01", LINES, seq=1)
    assert [row["id"] for row in await listed(acme, resolved=False)] == ["again", "bad"]
    assert [row["booked_instead"] for row in await listed(acme)] == [None, None]
    assert [each["unresolved"] for each in (await counted(acme))["faults"]] == [1, 1]
    await book.supersession("acme", "bot", "bad", "better")
    await book.entry(event("better", source="bot"), "0.01", LINES)
    assert [row["id"] for row in await listed(acme, resolved=True)] == ["bad"]


async def test_a_rejected_event_that_comes_again_under_its_id_is_resolved_and_a_later_rejection_is_not(
    acme: httpx.AsyncClient, book: Book
) -> None:
    sent = event("again", source="bot")
    await book.unbooked("acme", "bot", "again", "rejected", "time: is missing")
    await book.entry(sent, "0.01", LINES)
    await book.unbooked("acme", "bot", "again", "rejected", "data.usage: is missing")
    rows = await listed(acme)
    assert [(row["reason"], row["booked_instead"] and row["booked_instead"]["id"]) for row in rows] == [
        ("data.usage: is missing", None), ("time: is missing", "again"),
    ]  # fmt: skip


async def test_ten_thousand_rows_of_one_fault_are_one_line(acme: httpx.AsyncClient, book: Book) -> None:
    await book.connection.execute(
        "INSERT INTO unbooked (origin_topic, origin_partition, origin_offset, outcome, tenant, identity, source, "
        "event_id, reason, size, key_id) SELECT $1, 7, n, 'rejected', 'acme', int8send(n), 'bot', n::text, "
        "replace($2, '{}', (1000 + n)::text), 512, 'k1' FROM generate_series(1, 10000) AS n",
        TOPIC, TOO_MUCH,
    )  # fmt: skip
    await book.unbooked("acme", "bot", "c", "conflict", "another event was booked before", "k2")
    await book.connection.execute(
        "INSERT INTO supersessions VALUES ('acme', int8send(4), '\\x00', 'bot', 'good')"
    )
    found = await counted(acme)
    assert [(each["fault"], each["key_id"], each["events"], each["unresolved"]) for each in found["faults"]] == [
        ("data.usage.input_tokens: … is more than one event may state of input_tokens: at most …", "k1", 10_000, 9_999),
        ("another event was booked before", "k2", 1, 1),
    ]  # fmt: skip
    assert found["faults"][0]["reason"] in {TOO_MUCH.format(1000 + n) for n in range(1, 10_001)}
    assert [(each["outcome"], each["key_id"], each["events"]) for each in found["keys"]] == [
        ("rejected", "k1", 10_000), ("conflict", "k2", 1),
    ]  # fmt: skip
    assert (found["counted_from"], COUNTED_MAX) == (None, 20_000)
    assert len((await counted(acme, reason=found["faults"][0]["fault"]))["faults"]) == 1


async def test_of_more_than_are_counted_the_newest_are_and_the_answer_says_from_when(
    acme: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.events.unbooked.COUNTED_MAX", 2)
    for name in ("a", "b", "c"):
        await book.unbooked("acme", "bot", name, "rejected", "bad")
    found = await counted(acme)
    assert found["faults"][0]["events"] == 2
    assert found["counted_from"] == (await listed(acme))[1]["recorded_at"]


async def test_a_key_is_named_where_it_is_the_tenants_own(acme: httpx.AsyncClient, book: Book) -> None:
    await book.key("acme", "ingest")
    own = await book.connection.fetchval("SELECT key_id FROM api_keys WHERE 'ingest' = ANY (scopes)")
    await book.unbooked("acme", "bot", "a", "rejected", "bad", own)
    assert [row["key_name"] for row in await listed(acme)] == ["test"]
    assert [row["key_name"] for row in (await counted(acme))["keys"]] == ["test"]


async def receipt(client: httpx.AsyncClient, id: str) -> dict[str, Any]:
    answer = await client.get("/v1/events", params={"source": "bot", "id": id})
    found: dict[str, Any] = answer.json()
    return found


async def test_receipts_of_both_name_the_other(acme: httpx.AsyncClient, book: Book) -> None:
    await book.unbooked("acme", "bot", "bad", "rejected", "time: is missing")
    await book.entry(replace(event("good", source="bot"), supersedes="bad"), "0.01", LINES)
    await book.supersession("acme", "bot", "bad", "good")
    assert (await receipt(acme, "good"))["supersedes"] == {
        "source": "bot", "id": "bad", "status": "rejected", "says": "it was not booked: this one counts in its place",
    }  # fmt: skip
    bad = await receipt(acme, "bad")
    assert [(each["source"], each["id"]) for each in bad["superseded_by"]] == [("bot", "good")]
    assert (bad["status"], bad["supersedes"], bad["summary"].endswith("; bot/good was booked instead")) == (
        "rejected", None, True,
    )  # fmt: skip


async def test_a_receipt_says_where_both_count(acme: httpx.AsyncClient, book: Book) -> None:
    await book.entry(event("first", source="bot"), "0.01", LINES)
    await book.entry(replace(event("second", source="bot"), supersedes="first"), "0.01", LINES)
    found = await receipt(acme, "second")
    assert found["supersedes"]["status"] == "booked"
    assert "both count: retract that one" in found["summary"]


@pytest.mark.parametrize(
    ("seq", "outcome", "status"),
    [
        (None, "rejected", "rejected"), (0, "conflict", "conflict"), (0, None, "booked"), (0, "duplicate", "booked"),
        (1, None, "retracted"), (1, "conflict", "retracted"), (2, None, "booked"), (None, None, "unknown"),
    ],
)  # fmt: skip
def test_what_a_superseded_submission_had_become(seq: int | None, outcome: str | None, status: str) -> None:
    assert became("bot", "x", seq, outcome).status == status


def test_what_to_do_follows_from_the_outcome_and_whether_it_can_be_named() -> None:
    assert "under a new one with `supersedes`" in remedy("rejected", "bad", "x", resolved=False)
    assert "nothing can name it" in remedy("rejected", "is not JSON", "", resolved=False)
    retracted = "the event of this tenant, source and id was retracted on 2026-11-26; send a new event id"
    for outcome in ("conflict", "duplicate"):
        assert "send it under a new id" in remedy(outcome, retracted, "x", resolved=False)


async def test_what_names_no_tenant_is_an_operators_to_see_and_no_tenants(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.unbooked("", "", "", "rejected", "is not JSON: at byte 7")
    await book.unbooked("", "", "", "stray", "is not a rated record")
    await book.unbooked("acme", "bot", "a", "rejected", "time: is missing")
    assert [row["id"] for row in await listed(acme)] == ["a"]
    acme.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    assert [row["outcome"] for row in await listed(acme)] == ["stray", "rejected"]
    found = await counted(acme)
    assert {(each["fault"], each["unresolved"]) for each in found["faults"]} == {
        ("is not JSON: at byte …", 1), ("is not a rated record", 1),
    }  # fmt: skip
    assert "ask whoever wrote it to the topic" in (await listed(acme, outcome="rejected"))[0]["what_to_do"]
    acme.headers["X-Spendmeter-Tenant"] = "acme"
    assert [row["id"] for row in await listed(acme)] == ["a"]


async def test_a_conflict_by_which_what_is_booked_was_amended_asks_nobody_for_anything(
    acme: httpx.AsyncClient, book: Book
) -> None:
    """Two conflicts of one event; the first amended it. Once it is retracted, both are open again."""
    booked = event("e1", source="bot")
    await book.entry(booked, "1", LINES)
    for _ in range(2):
        await book.unbooked(
            "acme", "bot", "e1", "conflict", "another event was booked before; that one stays"
        )
    await book.connection.execute(
        "INSERT INTO corrections (correction_id, tenant, identity, source, event_id, kind, revision, patch, reason, author, "
        "requested_at, state, seqs, applied_at) SELECT raise_id(origin_topic, origin_partition, origin_offset), tenant, "
        "identity, source, event_id, 'amend', -1, '{}', 'more', 'key k', now(), 'applied', '{1,2}', now() FROM unbooked "
        "ORDER BY origin_offset LIMIT 1"
    )
    open_one, done = await listed(acme)
    assert (done["amended"], done["booked_instead"]["id"]) == (True, "e1")
    assert (
        done["what_to_do"]
        == "nothing: it says more of the same use, and what is booked was amended to say so"
    )
    assert (open_one["amended"], open_one["booked_instead"]) == (False, None)
    assert "compare what was sent" in open_one["what_to_do"]
    assert [len(await listed(acme, resolved=which)) for which in (True, False)] == [1, 1]
    [fault] = (await counted(acme))["faults"]
    assert (fault["events"], fault["unresolved"]) == (2, 1)
    receipt = (await acme.get("/v1/events", params={"source": "bot", "id": "e1"})).json()
    assert receipt["summary"].startswith("conflict") and "nor were" not in receipt["summary"]
    assert sorted(copy["amended"] for copy in receipt["copies"]) == [False, True]
    await book.entry(booked, "-1", [], seq=1)
    assert [row["amended"] for row in await listed(acme)] == [False, False]
