"""Whatever lies on `usage.corrections`: it is worked off, and the corrector goes on."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.corrector.apply import Applier
from services.corrector.intake import take_in
from tests.corrector.rerate_world import RerateBook, use
from tests.pricing.entries import price

SEEDS = range(4)
MESSAGES = 150

_FAIR = {
    "tag": b'"spendmeter.correction.v1"',
    "id": b'"c"',
    "tenant": b'"acme"',
    "source": b'"bot"',
    "event_id": b'"a"',
    "kind": b'"amend"',
    "revision": b"1",
    "patch": b'{"usage": {"input_tokens": 5}}',
    "selection": b"{}",
    "version": b"1",
    "reason": b'"a test"',
    "by": b'"k"',
    "at": b'"2026-11-20T12:00:00Z"',
    "apply": b"true",
}
"""Fields of all that may be asked for, as JSON."""
_TAGS = [
    b'"spendmeter.%s.v1"' % name for name in (b"correction", b"rerate", b"rerate_apply", b"rerate_cancel")
]
_TIMES = [
    b'"9999-12-31T23:59:59-14:00"', b'"0001-01-01T00:00:00+14:00"', b'"2026-11-20T12:00:00+23:59"',
    b'"2199-12-31T23:59:59-23:59"', b'"2026-11-20T12:00:00"', b'"infinity"', b"0", b"1e300",
]  # fmt: skip
_VALUES = [
    *_TIMES, b'""', b'"\\u0000"', b'"a\\u0000b"', b'"a\\n\\u0000"', b'"\\ud800"', b'"\xff\xfe"', '"\U0001f4b8\u202e"'.encode(),
    b'"' + b"x" * 300 + b'"', b"null", b"true", b"[]", b"{}", b"-1", b"2147483648", b"9223372036854775808", b"9" * 400,
    b"1e400000", b"NaN", b'"retract"', b'"amend"', b'"*"',
]  # fmt: skip
_PATCHES = [
    b'{"labels": null}', b'{"labels": []}', b'{"labels": {"team": "\\u0000"}}', b'{"labels": {"folded": ["team"]}}',
    b'{"labels": {"own": {"customer": "\\u0000"}}}', b'{"labels": {"own": ["customer"], "folded": 5}}',
    b'{"usage": null}', b'{"usage": {"input_tokens": 1e400000}}', b'{"usage": {"input_tokens": %s}}' % (b"9" * 300),
    b'{"usage": {"input_tokens": -5}}', b'{"usage": {"\\u0000": 5}}', b'{"usage": {"seconds": 1e-300}}',
    b'{"sku": "\xff"}', b'{"sku": "' + b"m" * 257 + b'"}', b'{"provider": {"a": {"b": 1}}}', b'{"unknown": "\\u0000"}',
    b'{"a":' * 985 + b"1" + b"}" * 985, b'{"a":' * 100_000, b"[" * 900 + b"]" * 900, b"{}", b"5", b"",
    b'{"reported_cost": {"amount": "1e999", "currency": "USD"}}', b'{"context": {"region": "\\ud83d"}}',
    b'{"outcome": {"name": "x", "count": 9223372036854775807}}',
]  # fmt: skip
_SELECTIONS = [
    b'{"since": %s}' % b'"9999-12-31T23:59:59-14:00"', b'{"until": "0001-01-01T00:00:00+14:00"}',
    b'{"since": "2026-11-20T12:00:00+23:59"}', b'{"until": "2026-11-20T12:00:00-23:59"}', b'{"skus": ["\\u0000"]}',
    b'{"skus": [""]}', b'{"providers": ["%s"]}' % (b"x" * 300), b'{"skus": [%s"m"]}' % (b'"m",' * 60),
    b'{"statuses": ["none"]}', b'{"statuses": ["unpriced", "unpriced"]}', b'{"publication": 99999999999}',
    b'{"publication": -1}', b'{"publication": 1}', b'{"missing_rate_of": "\\u0000\\u0000\\u0000"}', b'{"missing_rate_of": "EUR"}',
]  # fmt: skip


def message(fields: Mapping[str, bytes]) -> bytes:
    said = {"type" if name == "tag" else name: value for name, value in fields.items()}
    return b"{" + b", ".join(b'"%s": %s' % (name.encode(), value) for name, value in said.items()) + b"}"


def hostile(chance: random.Random) -> bytes:
    """A message of some kind of which mostly one thing is not as it should be, sometimes more."""
    fields = {**_FAIR, "tag": chance.choice(_TAGS), "id": b'"c%d"' % chance.randrange(30)}
    fields["kind"] = chance.choice([b'"amend"', b'"amend"', b'"retract"'])
    fields["event_id"] = chance.choice([b'"a"', b'"b"', b'"c"', b'"nobody booked it"'])
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        name = chance.choice([*fields, "patch", "selection", "at"])
        pool = {"patch": _PATCHES, "selection": _SELECTIONS, "at": _TIMES}.get(name, _VALUES)
        fields[name] = chance.choice([*pool, *pool, *_VALUES])
    raw = message(fields)
    return raw[: chance.randrange(len(raw))] if chance.random() < 0.05 else raw


@given(st.binary() | st.integers().map(lambda seed: hostile(random.Random(seed))))
def test_no_record_of_the_topic_raises_and_each_is_worked_off(raw: bytes) -> None:
    taken = take_in(5, [(5, raw), (6, None)])
    assert taken.position == 7
    assert len(taken.corrections) + len(taken.jobs) + taken.strays == 2


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_lies_on_the_topic_the_corrector_works_it_off_and_what_is_booked_adds_up(
    rerate_book: RerateBook, seed: int
) -> None:
    """Jobs that come of it are worked at, and corrections that wait are looked at; a second time too. What is asked
    for rightly after all that is done as ever."""
    chance = random.Random(seed)
    await rerate_book.publish(price("m", "input_tokens", "2"), price("m", "output_tokens", "10"))
    await rerate_book.book(*map(use, "abcd"))
    applier = Applier(log_ends=rerate_book.log_ends)
    raws = [hostile(chance) for _ in range(MESSAGES)]
    for offset, raw in enumerate([*raws, *raws]):
        standing = await rerate_book.standing()
        taken = await applier.take(rerate_book.corrector, standing, take_in(offset, [(offset, raw)]))
        assert taken.standing.position == offset + 1
        if offset == MESSAGES // 2:
            await rerate_book.book(use("nobody booked it"))
        if offset % 50 == 0:
            await applier.look_again(rerate_book.corrector, taken.standing)
            await rerate_book.work()
    before = await rerate_book.money()
    await rerate_book.retract("d")
    assert await rerate_book.money() == before - 2
