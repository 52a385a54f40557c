"""What each row of a bill makes necessary, by what the book was told of it before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.api.imports.told import (
    KnownRow,
    ToldRow,
    amend_id,
    correction_id,
    event_of,
    patch_of,
    to_tell,
)
from spendmeter.contracts.merge_patch import merged
from tests.api.test_bill_rows import data_of, taken


def known(row: Any, **said: Any) -> KnownRow:
    facts: dict[str, Any] = {
        "row_id": row.row_id, "source": row.source, "event_id": row.event_id, "generation": 0, "revision": 0,
        "hash": row.hash, "is_told": True, "is_retracted": False,
    }  # fmt: skip
    return KnownRow(**facts | said)


def told(may_correct: bool = True, **said: Any) -> ToldRow:
    row = taken()
    return to_tell(row, known(row, **said), may_correct=may_correct)


def test_what_nobody_knows_is_sent_and_what_stands_is_not() -> None:
    new = to_tell(taken(), None, may_correct=False)
    assert (new.outcome, new.sends, new.amends) == ("new", True, False)
    assert (told().outcome, told().is_told) == ("same", True)


def test_what_is_restated_is_amended_one_revision_on_by_who_may_correct() -> None:
    restated = told(hash="ff", revision=4)
    assert (restated.outcome, restated.revision, restated.sends, restated.amends) == (
        "amended",
        5,
        False,
        True,
    )
    left = told(hash="ff", may_correct=False)
    assert (left.outcome, left.is_told) == ("left", True)


def test_a_restated_row_holds_against_what_people_have_amended_before() -> None:
    """Their revisions go on from the highest: below it the bill's word would be superseded, and called told."""
    assert told(hash="ff", revision=1, amended=4).revision == 5
    assert told(hash="ff", revision=6, amended=4).revision == 7
    assert told(is_told=False, revision=2, amended=4).revision == 2, "what was written down is told as it was"


@pytest.mark.parametrize(
    ("said", "sends", "amends", "revision"),
    [
        ({}, True, False, 0),  # the same as nobody acknowledged: once more
        ({"hash": "ff"}, True, True, 1),  # the broker may hold what was said then: so it is sent, and amended
        # Of imports that broke off one after the other none may have come as far as the event.
        ({"revision": 2}, True, True, 2),  # the same amend, under its id
        ({"revision": 2, "hash": "ff"}, True, True, 3),
    ],
)
def test_what_was_not_acknowledged_is_told_so_that_either_way_it_ends_the_same(
    said: dict[str, Any], sends: bool, amends: bool, revision: int
) -> None:
    again = told(is_told=False, **said)
    assert (again.sends, again.amends, again.revision) == (sends, amends, revision)


def test_what_was_retracted_comes_back_as_another_event_in_its_place() -> None:
    back = told(is_retracted=True, generation=1, event_id="2026-10/x/0/1")
    event = event_of(back, "acme")
    assert event["id"] == f"{back.row.event_id}/2"
    assert event["supersedes"] == "2026-10/x/0/1"
    assert (event["tenant"], event["type"]) == ("acme", "spendmeter.charge.v1")


def test_what_ingest_refused_is_sent_as_if_nobody_had_said_it() -> None:
    """By any key: nothing is booked that it could change."""
    refused = {"hash": "ff", "is_told": False, "is_retracted": True}
    new = told(may_correct=False, **refused)
    assert (new.outcome, new.event_id, new.sends, new.amends) == ("new", new.row.event_id, True, False)
    back = told(may_correct=False, generation=2, event_id="2026-10/x/0/2", **refused)
    assert (back.outcome, back.generation) == ("returned", 2)
    assert (back.event_id, back.supersedes) == ("2026-10/x/0/2", "2026-10/x/0/1")


@pytest.mark.parametrize(
    ("generation", "event_id", "supersedes"),
    [(1, "2026-10/x/0/1", "2026-10/x/0"), (2, "2026-10/x/0/2", "2026-10/x/0/1")],
)
def test_what_came_back_and_was_not_acknowledged_is_sent_as_it_was(
    generation: int, event_id: str, supersedes: str
) -> None:
    """Without `supersedes` it would say something else than what the broker may hold: a conflict."""
    again = told(is_told=False, generation=generation, event_id=event_id)
    event = event_of(again, "acme")
    assert (event["id"], event["supersedes"]) == (event_id, supersedes)
    assert "supersedes" not in event_of(told(is_told=False), "acme")


def test_an_amend_says_all_of_the_row_and_takes_away_what_it_no_longer_says() -> None:
    before = taken(["team=tag:CostCenter"], InvoiceId="I-1")
    first = data_of(before) | {"labels": {"team": "4711", "own": {"customer": "c1"}}}
    after = taken(["feature=ServiceCategory"], Tags="{}", ConsumedQuantity="NULL", EffectiveCost="9")
    patch = msgspec.json.decode(patch_of(after, ["customer"]))
    amended = merged(first, patch)
    assert amended.pop("labels") == {"feature": "Databases", "own": {}}
    expected = data_of(after)
    del expected["labels"]
    assert amended == expected


def test_what_a_bill_said_before_and_says_again_is_an_amend_of_its_own() -> None:
    """A, B, A, B: under the id of the first B the second one would be taken for it, and A would stay booked."""
    row = taken()
    first, third = told(hash="aa", revision=0), told(hash="aa", revision=2)
    assert (first.revision, third.revision) == (1, 3)
    assert amend_id(first) != amend_id(third)
    interrupted = to_tell(row, known(row, is_told=False, revision=3), may_correct=True)
    assert amend_id(interrupted) == amend_id(third), "run again it is the same one"


def test_a_correction_has_the_id_that_follows_from_what_it_says() -> None:
    assert correction_id("amend", "aa", 0, "1") == correction_id("amend", "aa", 0, "1")
    assert correction_id("amend", "aa", 0, "1") != correction_id("amend", "aa", 0, "2")
    assert len(correction_id("retract", "a" * 32, 10)) <= 64
