"""Whatever comes, at every entrance: some hundreds of requests each time, always the same ones (`make fuzz`: others, for
five minutes). And what the fuzzing would find if it were there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace as replaced

from services.ingest.accept import AcceptedEvents, Submission
from services.ingest.entrances import Incoming
from services.ingest.refused import bad_request
from spendmeter.contracts.events import Amount
from tests.ingest.fuzz.__main__ import round_of
from tests.ingest.fuzz.dialects import FuzzedDialect, GoodRequest, fuzzed
from tests.ingest.fuzz.holds import BrokenRule, bounded, check
from tests.ingest.fuzz.mutated import CONTENT, SECRET, Spelled, Twin, numbers_in, written
from tests.ingest.fuzz.requests import FuzzedRequest
from tests.ingest.test_accept import NOW

DIALECTS = {dialect.name: dialect for dialect in fuzzed()}
EXAMPLES = 100
Read = Callable[[Incoming, Submission], AcceptedEvents]


@pytest.mark.parametrize("name", DIALECTS)
def test_whatever_comes_is_refused_or_is_no_more_than_was_sent(name: str) -> None:
    ended = round_of(DIALECTS[name], 12, EXAMPLES)
    assert ended["taken"] >= EXAMPLES // 10, "what is fuzzed is near enough to what is good"
    assert ended["refused"] >= EXAMPLES // 20


def plainly(good: GoodRequest) -> FuzzedRequest:
    """A good request, as it is."""
    parts = [written(each) for each in good.objects]
    body = {"one": parts[0], "array": f"[{','.join(parts)}]", "lines": "\n".join(parts)}.get(
        good.together, "".join(f"data: {each}\n\n" for each in parts)
    )
    raw = bytes(good.build(good.objects).SerializeToString()) if good.build else body.encode()
    incoming = Incoming(
        body=raw, media_type=good.media_type, headers=good.headers, query=good.query, path=good.path, url="/", now=NOW
    )  # fmt: skip
    numbers = numbers_in(body.encode()) + numbers_in(json.dumps({**good.query, **good.headers}).encode())
    return FuzzedRequest(incoming=incoming, numbers=numbers, known=True)


@pytest.mark.parametrize("name", DIALECTS)
def test_what_the_fuzzing_begins_with_is_good(name: str) -> None:
    dialect = DIALECTS[name]
    ended = [check(dialect, plainly(good), 2) for good in dialect.good]
    assert ended.count("taken") >= 0.7 * len(ended)


def spoilt(change: Callable[[AcceptedEvents], AcceptedEvents], name: str = "litellm") -> FuzzedDialect:
    """The dialect, with a fault in what it makes of a request."""
    dialect = DIALECTS[name]
    read = dialect.entrance.read
    return replace(
        dialect,
        entrance=replace(dialect.entrance, read=lambda incoming, asked: change(read(incoming, asked))),
    )


def with_data(**more: Any) -> Callable[[AcceptedEvents], AcceptedEvents]:
    def change(accepted: AcceptedEvents) -> AcceptedEvents:
        events = [replaced(event, data=replaced(event.data, **more)) for event in accepted.events]
        return replace(accepted, events=events)

    return change


def with_usage(**usage: Any) -> Callable[[AcceptedEvents], AcceptedEvents]:
    return with_data(usage=usage)


def refusing(accepted: AcceptedEvents) -> AcceptedEvents:
    raise bad_request(f"{SECRET} is no model")


def crashing(accepted: AcceptedEvents) -> AcceptedEvents:
    raise KeyError("usage")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (with_usage(input_tokens=10**9), "tokens of"),
        (with_usage(input_tokens=1_200, cache_read_tokens=1_024, output_tokens=50), "tokens of"),
        (with_usage(input_tokens=-5), "at least 0"),
        (with_usage(input_tokens=float("nan")), "number or a decimal"),
        (with_usage(input_tokens=2**63), "below 2\\^63"),
        (with_usage(prompt_tokens=5), "input_tokens"),
        (with_data(reported_cost=Amount(amount="7.77", currency="USD")), "nobody stated"),
        (with_data(sku=CONTENT), "what people wrote"),
        (lambda accepted: replace(accepted, noted={SECRET: 1}), "repeats a value"),
        (refusing, "repeats a value"),
        (crashing, "usage"),
    ],
)
def test_a_fault_would_be_found(change: Any, rule: str) -> None:
    request = plainly(DIALECTS["litellm"].good[1])
    with pytest.raises(Exception, match=rule):
        check(spoilt(change), request, 0)


def test_events_that_are_others_each_time_would_be_found() -> None:
    count = iter(range(10))

    def change(accepted: AcceptedEvents) -> AcceptedEvents:
        return replace(accepted, events=[replaced(event, id=f"{next(count)}") for event in accepted.events])

    with pytest.raises(BrokenRule, match="another event"):
        check(spoilt(change), plainly(DIALECTS["litellm"].good[1]), 0)


def test_a_request_that_takes_too_long_would_be_found() -> None:
    with pytest.raises(BrokenRule, match="processor time"), bounded(0.05):
        while True:
            pass


def test_json_is_spoiled_as_no_encoder_would_write_it() -> None:
    tree = {"a": Spelled("1e400"), Twin("a"): [None, "\ud800"], "b": {"c": 1.5}}
    assert written(tree) == '{"a":1e400,"a":[null,"\\ud800"],"b":{"c":1.5}}'


def test_every_number_of_a_body_is_counted_with_its_name() -> None:
    body = b'{"usage": {"n": 5, "m": ["7", 1e3]}, "t": "gpt-4"}\n{"key": "k", "value": {"intValue": "12"}}'
    assert numbers_in(body) == [("n", "5"), ("m", "7"), ("m", "1e3"), ("k", "12")]
    assert msgspec.json.decode(body.splitlines()[0])["usage"]["n"] == 5
