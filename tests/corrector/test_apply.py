"""Corrections in a real Postgres, by the corrector's own role: amounts worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from services.corrector import apply
from services.corrector.fence import Overtaken, read_standing
from services.corrector.intake import Intake, take_in
from services.corrector.write import prepare
from spendmeter.contracts.corrections import RerateRequest, Selection, encode_correction
from spendmeter.contracts.events import Context, Labels
from spendmeter.platform.roles import role_url
from spendmeter.verify.sql import SQL as VERIFY_SQL
from tests.corrector.written_book import ASKED, DOUBLED, SECRET, Book, correction, event
from tests.ledger_records import NOON, TOPIC
from tests.pricing.entries import unit
from tests.terms import counts_in

LESS = '{"usage": {"input_tokens": 400}}'
"""400 x 2.5 + 100 x 10 a million = 0.001 + 0.001 = 0.002 USD instead of 0.0035."""


async def test_a_retraction_takes_an_event_out_of_every_sum(book: Book) -> None:
    await book.book_events(event("e1"), event("e2"))
    await book.correct(correction("e1"))
    assert await book.amounts("e1") == [(0, Decimal("0.0035")), (1, Decimal("-0.0035"))]
    assert (await book.spent())["minute"] == [(1, 0, Decimal("0.0035"), 0)]
    assert (await book.spent())["day"] == [(-1, 0, Decimal("-0.0035"), 0)]
    assert await book.quantities() == {"input_tokens": 1000, "output_tokens": 100}
    row = await book.owner.fetchrow("SELECT state, seqs, applied_at IS NULL AS undated FROM corrections")
    assert tuple(row) == ("applied", [1], False)


async def test_a_reversal_is_its_entry_with_the_signs_turned_and_says_nothing_itself(book: Book) -> None:
    await book.book_events(event())
    await book.correct(correction())
    first, reversal = await book.owner.fetch("SELECT * FROM entries ORDER BY seq")
    kept = (
        "occurred_at",
        "identity",
        "series_id",
        "tenant",
        "status",
        "currency",
        "catalog_version",
        "accounting_period",
    )
    assert [first[name] for name in kept] == [reversal[name] for name in kept]
    assert (reversal["event"], reversal["lines"], reversal["correction_id"]) == (None, None, "retract-e1-0")
    assert (reversal["origin_partition"], reversal["origin_offset"]) == (-1, 0)


async def test_an_amend_reverses_and_replaces_and_is_priced_at_the_newest_version(book: Book) -> None:
    await book.book_events(event())
    await book.publish(DOUBLED)
    await book.correct(correction(patch=LESS, revision=1))
    # 0.002 USD, doubled by the second version
    assert await book.amounts() == [(0, Decimal("0.0035")), (1, Decimal("-0.0035")), (2, Decimal("0.004"))]
    spent = await book.spent()
    assert spent["minute"] == [(1, 0, Decimal("0.004"), 0)]
    assert spent["five_minutes"] == spent["hour"] == spent["day"] == [(0, 0, Decimal("0.0005"), 0)]
    assert await book.quantities() == {"input_tokens": 400, "output_tokens": 100}
    in_force = await book.owner.fetchrow(
        "SELECT seq, catalog_version, event, effective FROM entries_in_force"
    )
    assert (in_force["seq"], in_force["catalog_version"]) == (2, 2)
    assert '"input_tokens":400' in in_force["event"]


async def test_an_amend_into_another_team_and_model_moves_the_money(book: Book) -> None:
    await book.book_events(event())
    patch = '{"sku": "gpt-4o-mini", "labels": {"team": "search"}}'
    await book.correct(correction(patch=patch))
    # 1000 x 0.15 + 100 x 0.6 a million = 0.00015 + 0.00006
    assert (await book.spent())["minute"] == [(0, 0, Decimal(0), 0), (1, 0, Decimal("0.00021"), 0)]
    moved = await book.owner.fetchrow("SELECT sku, team FROM series WHERE team <> ''")
    assert tuple(moved) == ("gpt-4o-mini", "search")


async def test_an_amend_is_of_the_event_as_first_booked_and_the_highest_revision_holds(book: Book) -> None:
    await book.book_events(event())
    await book.correct(correction(patch='{"usage": {"input_tokens": 400}}', revision=2))
    await book.correct(correction(patch='{"usage": {"output_tokens": 300}}', revision=3))
    await book.correct(correction(patch='{"usage": {"output_tokens": 900}}', revision=1))
    # of 1000 and 300: 0.0025 + 0.003
    assert (await book.amounts())[-1] == (4, Decimal("0.0055"))
    assert await book.outcomes() == {
        "amend-e1-2": "applied",
        "amend-e1-3": "applied",
        "amend-e1-1": "superseded",
    }


async def test_nothing_follows_a_retraction(book: Book) -> None:
    await book.book_events(event())
    await book.correct(correction())
    await book.correct(correction(id="again"))
    await book.correct(correction(patch=LESS, revision=9))
    assert len(await book.amounts()) == 2
    assert await book.outcomes() == {
        "retract-e1-0": "applied",
        "again": "duplicate",
        "amend-e1-9": "superseded",
    }
    why = await book.owner.fetchval("SELECT why FROM corrections WHERE state = 'superseded'")
    assert why == "the event was retracted on 2026-11-25T12:00:00Z"


async def test_an_amend_that_changes_nothing_writes_nothing_and_outdoes_lower_revisions(book: Book) -> None:
    await book.book_events(event())
    await book.correct(correction(patch="{}", revision=2))
    await book.correct(correction(patch=LESS, revision=1))
    assert await book.amounts() == [(0, Decimal("0.0035"))]
    assert await book.outcomes() == {"amend-e1-2": "duplicate", "amend-e1-1": "superseded"}


@pytest.mark.parametrize(
    "patch, why",
    [
        ('{"usage": {"prompt_tokens": 5}}', "data.usage.prompt_tokens"),
        ('{"usage": {"input_tokens": -1}}', "data.usage.input_tokens"),
        ('{"usage": null}', "usage"),
        ('{"labels": {"user": "somebody"}}', "data.labels.user: cannot be amended"),
        ("[1]", "patch: must be a JSON object"),
        ('{"provider": ""}', "data.provider"),
        ('{"usage": {"input_tokens": 99999999999999}}', "per_event_max"),
    ],
)
async def test_an_amend_that_the_door_would_not_take_is_refused_with_the_rule(
    book: Book, patch: str, why: str
) -> None:
    await book.book_events(event(time=datetime(2026, 11, 26, 9, tzinfo=UTC)))  # since when all rules hold
    await book.correct(correction(patch=patch, revision=9))
    row = await book.owner.fetchrow("SELECT state, why FROM corrections")
    assert row["state"] == "refused"
    assert why in row["why"]
    assert await book.amounts() == [(0, Decimal("0.0035"))]
    await book.correct(correction(patch=LESS, revision=1))  # what was refused outdoes nothing
    assert (await book.amounts())[-1] == (2, Decimal("0.002"))


async def test_another_tenants_event_of_the_same_name_is_not_touched(book: Book) -> None:
    await book.book_events(event("e1"), event("e1", tenant="globex"))
    await book.correct(correction("e1", tenant="globex"))
    assert await book.amounts("e1") == [(0, Decimal("0.0035"))]
    rows = await book.owner.fetch("SELECT tenant FROM entries WHERE seq = 1")
    assert [row["tenant"] for row in rows] == ["globex"]


async def test_a_correction_that_came_before_its_event_is_applied_once_the_event_is_booked(
    book: Book,
) -> None:
    await book.correct(correction(patch=LESS, revision=1), correction("never"))
    assert await book.outcomes() == {"amend-e1-1": "waiting", "retract-never-0": "waiting"}
    await book.look_again()
    assert set((await book.outcomes()).values()) == {"waiting"}
    await book.book_events(event())
    await book.look_again()
    assert await book.amounts() == [(0, Decimal("0.0035")), (1, Decimal("-0.0035")), (2, Decimal("0.002"))]
    assert await book.outcomes() == {"amend-e1-1": "applied", "retract-never-0": "waiting"}
    await book.book_events(*(event(f"other{n}") for n in range(9)))  # all 10 that were there when it came
    await book.look_again()
    assert (await book.outcomes())["retract-never-0"] == "unknown"
    await book.book_events(event("never"))
    await book.look_again()
    assert await book.amounts("never") == [(0, Decimal("0.0035"))]


@pytest.mark.parametrize("received, added", [(NOON, 0), (datetime(2026, 11, 26, tzinfo=UTC), 8)])
async def test_quantities_that_were_not_added_are_not_taken_away(
    book: Book, received: datetime, added: int
) -> None:
    """Of ten units that nobody knew, eight are added up; of what was received in former days, none. One of them
    has become a unit since."""
    made_up = {f"made_up_{n}": 1 for n in range(10)}
    await book.book_events(event(time=received, usage={"input_tokens": 1000, **made_up}))
    before = await book.quantities()
    assert len(before) == 1 + added
    await book.publish(unit("made_up_9"))
    await book.correct(correction(patch='{"usage": {"input_tokens": 400}}'))
    # the last of the ten is now counted as a unit, and of nine others eight
    assert await book.quantities() == before | {"input_tokens": 400, "made_up_9": 1}
    await book.correct(correction())
    assert await book.quantities() == dict.fromkeys([*before, "made_up_9"], 0)


async def test_money_under_remarks_is_taken_back_and_added_anew(book: Book) -> None:
    await book.book_events(event("e1", context=Context(service_tier="fast")), event("e2"))
    said = (
        "SELECT provider, tier, sum(events)::int, sum(effective) FROM remarks_daily GROUP BY 1, 2 ORDER BY 2"
    )
    assert [tuple(row) for row in await book.owner.fetch(said)] == [("openai", "fast", 1, Decimal("0.0035"))]
    await book.correct(
        correction("e1", patch='{"context": {"service_tier": "flex"}, "usage": {"input_tokens": 400}}')
    )
    assert [tuple(row) for row in await book.owner.fetch(said)] == [
        ("openai", "fast", 0, Decimal(0)),
        ("openai", "flex", 1, Decimal("0.002")),
    ]


async def test_what_was_added_up_with_other_spellings_is_taken_back_from_them(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day has room for one spelling here: e1's is it, those of e2 and e3 are others. Of what corrections add e1's new one
    has the room, and e3's is another again. verify's own sums say the same."""
    monkeypatch.setattr("spendmeter.book.remarks.SPELLINGS_MAX", 1)

    async def said() -> dict[str, tuple[int, Decimal]]:
        assert await book.owner.fetch(VERIFY_SQL["remark_faults"], 1) == []
        rows = await book.owner.fetch(
            "SELECT tier, sum(events)::int AS events, sum(effective) AS effective FROM remarks_daily GROUP BY 1"
        )
        return {row["tier"]: (row["events"], row["effective"].normalize()) for row in rows if row["events"]}

    tiers = {"e1": "fast", "e2": "flex", "e3": "slow"}
    await book.book_events(*(event(name, context=Context(service_tier=tier)) for name, tier in tiers.items()))
    once, less = Decimal("0.0035"), Decimal("0.002")
    assert await said() == {"fast": (1, once), "other": (2, 2 * once)}
    await book.correct(correction("e2"))
    assert await said() == {"fast": (1, once), "other": (1, once)}
    await book.correct(correction("e1", patch='{"context": {"service_tier": "turbo"}}'))
    assert await said() == {"turbo": (1, once), "other": (1, once)}
    await book.correct(correction("e3", patch=LESS))
    assert await said() == {"turbo": (1, once), "other": (1, less)}
    await book.correct(correction("e1"), correction("e3"))
    assert await said() == {}


async def test_larger_buckets_are_those_of_the_tenants_calendar(book: Book) -> None:
    await counts_in(book.owner, "acme", zone="Asia/Kathmandu")
    await book.book_events(event())
    await book.correct(correction())
    rows = await book.owner.fetch("SELECT size, bucket FROM rollups ORDER BY size")
    noon = NOON  # 17:45 in Nepal, whose hours begin at a quarter past and whose days at 18:15 UTC
    assert [tuple(row) for row in rows] == [
        ("day", noon - timedelta(hours=17, minutes=45)),
        ("five_minutes", noon),
        ("hour", noon - timedelta(minutes=45)),
    ]


async def test_a_second_corrector_finds_itself_overtaken_and_has_written_nothing(
    book: Book, database: str
) -> None:
    await book.book_events(event("e1"), event("e2"))
    sought = await read_standing(book.corrector, TOPIC)
    await book.correct(correction("e1"))
    other = await asyncpg.connect(role_url(database, "corrector", SECRET))
    try:
        await prepare(other)
        for late in ("e1", "e2"):
            intake = Intake(position=1, corrections=[correction(late, id=f"zombie-{late}")])
            with pytest.raises(Overtaken):
                await book.applier.take(other, sought, intake)
    finally:
        await other.close()
    assert await book.outcomes() == {"retract-e1-0": "applied"}
    assert await book.owner.fetchval("SELECT count(*) FROM entries WHERE seq > 0") == 1


async def test_entries_above_seq_0_are_numbered_in_their_order_without_gaps(book: Book) -> None:
    await book.book_events(*(event(f"e{n}") for n in range(4)))
    await book.correct(correction("e0"), correction("e1", patch=LESS))
    await book.correct(correction("e2", patch=LESS), correction("e3"))
    rows = await book.owner.fetch(
        "SELECT origin_offset, seq FROM entries WHERE origin_partition = -1 ORDER BY origin_offset"
    )
    assert [tuple(row) for row in rows] == [(0, 1), (1, 1), (2, 2), (3, 1), (4, 2), (5, 1)]
    assert await book.owner.fetchval("SELECT next_entry FROM corrector") == 6


async def test_every_correction_is_accounted_for(book: Book) -> None:
    await book.book_events(event("e1"), event("e2"))
    await book.correct(correction("e1"), correction("e2", patch="{}"), correction("e9"))
    await book.correct(correction("e2", patch="[]", revision=1))
    await book.correct(correction("e1"))
    accepted, repeated = await book.owner.fetchrow("SELECT accepted, repeated FROM corrector")
    states = sorted((await book.outcomes()).values())
    assert (accepted, repeated) == (len(states), 1)
    assert states == ["applied", "duplicate", "refused", "waiting"]


async def test_a_corrected_event_keeps_who_used_it(book: Book) -> None:
    await book.book_events(event(labels=Labels(user="hmac:1", team="a")))
    await book.correct(correction(patch='{"labels": {"team": "b"}}'))
    text = await book.owner.fetchval("SELECT event FROM entries_in_force")
    assert '"user":"hmac:1"' in text
    assert ASKED > NOON


async def test_two_events_under_one_id_in_one_poll_are_one_correction_and_one_that_came_again(
    book: Book,
) -> None:
    await book.book_events(event("e1"), event("e2"))
    two = [correction("e1", id="one"), correction("e2", id="one")]
    polled = [(offset, encode_correction(each)) for offset, each in enumerate(two)]
    standing = await read_standing(book.corrector, TOPIC)
    while standing.position < len(polled):
        standing = (
            await book.applier.take(book.corrector, standing, take_in(standing.position, polled))
        ).standing
    assert await book.amounts("e2") == [(0, Decimal("0.0035"))]
    row = await book.owner.fetchrow("SELECT accepted, repeated FROM corrector")
    assert (tuple(row), await book.outcomes()) == ((1, 1), {"one": "applied"})


async def test_of_two_amends_of_one_revision_the_later_one_holds(book: Book) -> None:
    await book.book_events(event())
    later = correction(patch=LESS, id="a", at=ASKED + timedelta(seconds=1))
    await book.correct(later)
    await book.correct(correction(patch='{"usage": {"input_tokens": 1}}', id="z"))
    assert await book.outcomes() == {"a": "applied", "z": "superseded"}
    assert (await book.amounts())[-1] == (2, Decimal("0.002"))


async def test_each_tenant_has_ids_of_its_own(book: Book) -> None:
    await book.book_events(event("e1"), event("e1", tenant="globex"))
    await book.correct(correction("e1", id="one"))
    await book.correct(correction("e1", id="one", tenant="globex"), correction("never", id="one", tenant="x"))
    rows = await book.owner.fetch("SELECT tenant, correction_id, state FROM corrections ORDER BY tenant")
    states = {"acme": "applied", "globex": "applied", "x": "waiting"}
    assert [tuple(row) for row in rows] == [(whose, "one", state) for whose, state in states.items()]
    await book.book_events(*(event(f"other{n}") for n in range(8)))  # all 10 that were there when it came
    await book.look_again()
    rows = await book.owner.fetch("SELECT tenant, state FROM corrections")
    assert {tuple(row) for row in rows} == set((states | {"x": "unknown"}).items())


async def test_an_id_is_that_of_a_correction_or_of_a_job(book: Book) -> None:
    await book.book_events(event("e1"))

    def job(id: str) -> RerateRequest:
        return RerateRequest(
            id=id, tenant="acme", selection=Selection(), version=1, reason="a test", by="k_1", at=ASKED,
            apply=False,
        )  # fmt: skip

    standing = await read_standing(book.corrector, TOPIC)
    await book.applier.take(book.corrector, standing, Intake(position=1, jobs=[job("job")]))
    await book.correct(correction("e1", id="job"))
    await book.correct(correction("e1", id="fix"))
    standing = await read_standing(book.corrector, TOPIC)
    await book.applier.take(book.corrector, standing, Intake(position=4, jobs=[job("fix")]))
    assert await book.outcomes() == {"job": "refused", "fix": "applied"}
    assert await book.amounts("e1") == [(0, Decimal("0.0035")), (1, Decimal("-0.0035"))]
    jobs = await book.owner.fetch("SELECT rerate_id, state FROM rerate_jobs")
    assert {tuple(row) for row in jobs} == {("job", "previewing"), ("fix", "refused")}
    unwritten = VERIFY_SQL["corrections_unwritten"]
    assert await book.owner.fetch(unwritten) == []
    await book.owner.execute("UPDATE entries SET correction_id = 'job' WHERE seq > 0")
    # what is written under the job's id is the job's; of the other one it is missed
    assert [row["correction_id"] for row in await book.owner.fetch(unwritten)] == ["fix"]


async def test_many_corrections_of_one_event_do_not_keep_others_back(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await book.correct(correction("e1", patch=LESS, revision=number))
    await book.correct(correction("e2"))
    await book.book_events(event("e1"), event("e2"))
    monkeypatch.setattr(apply, "WAITING_MAX", 2)
    await book.look_again()
    assert (await book.outcomes())["retract-e2-0"] == "applied"


async def test_what_settles_without_an_entry_keeps_a_second_corrector_out_too(book: Book) -> None:
    await book.correct(correction(patch="{}"))
    await book.book_events(event())
    sought = await read_standing(book.corrector, TOPIC)
    await book.look_again()
    assert await book.outcomes() == {"amend-e1-0": "duplicate"}
    with pytest.raises(Overtaken):
        intake = Intake(position=sought.position + 1, corrections=[correction("e1", id="zombie")])
        await book.applier.take(book.corrector, sought, intake)
