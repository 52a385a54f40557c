"""A request of a dialect as it may come: a good one with something done to it, or anything at all."""

from __future__ import annotations

import gzip
import json
import math
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import zstandard

from services.ingest.body import gunzip, unzstd
from services.ingest.dialects.providers.facts import PROVIDERS
from services.ingest.entrances import Incoming
from tests.ingest.fuzz.dialects import FuzzedDialect, GoodRequest
from tests.ingest.fuzz.mutated import (
    HOSTILE,
    NAME,
    RAW,
    SECRET,
    STRANGE,
    Spelled,
    damage,
    numbers_in,
    spoil,
    written,
)
from tests.ingest.test_accept import NOW

CHANGES_MAX = 3
_TYPED: tuple[Any, ...] = (
    *(math.nan, math.inf, -math.inf, -1, -0.5, -(2**63), 2**63 - 1, 1e308, 5e-324, 0, 1, 7, 10_000, 2**40, 0.1, 12.5),
    *(True, False, None, "", "5", "007", "1e9", "NaN", "\uff11\uff12", "9" * 5_000, "-1", " 7 ", "1_000", SECRET),
    *(f"12{SECRET}", "x" * 300, "\u202e", "a\0b", b"\xff\x00", [], [5], [1, SECRET], {"a": 5}, {"a": SECRET}),
)  # fmt: skip
"""Of an attribute in protobuf."""


@dataclass(frozen=True, kw_only=True)
class FuzzedRequest:
    """One, as an entrance gets it."""

    incoming: Incoming
    numbers: list[tuple[str, str]]
    """That it states, by name; empty = nobody could say."""
    known: bool
    """Whether `numbers` are all that there are."""


def drawn(dialect: FuzzedDialect, names: tuple[str, ...], random: Random) -> FuzzedRequest:
    """A request; the same from the same `random`. Hypothesis likes zeros, so what is seldom is in the middle."""
    good = random.choice(dialect.good)
    kind = random.randrange(20)
    objects = deepcopy(list(good.objects))
    if kind == 7:
        body = random.choice(
            (b"", random.randbytes(random.randrange(200)), random.choice(RAW) * random.randrange(1, 2_000))
        )
        known = False
    elif kind in (11, 13):
        body, known = written(_anything(random, names)).encode("utf-8", "surrogatepass"), True
    elif good.together == "protobuf":
        body, known = _in_protobuf(good, objects, random, names)
    else:
        body, known = _in_json(good, objects, random, names), True
    if random.randrange(8) == 5:
        body, known = damage(body, random), known and good.together != "protobuf"
    incoming = Incoming(
        body=_repacked(body, random), media_type=good.media_type, headers=_beside(good.headers, random), query=_beside(good.query, random),
        path=_path(good, random), url=dialect.entrance.path, now=NOW,
    )  # fmt: skip
    beside = numbers_in(json.dumps({**incoming.query, **incoming.headers}).encode())
    numbers = _attribute_numbers(objects) if good.together == "protobuf" else numbers_in(body)
    return FuzzedRequest(incoming=incoming, numbers=numbers + beside, known=known)


def _in_json(good: GoodRequest, objects: list[Any], random: Random, names: tuple[str, ...]) -> bytes:
    for _ in range(random.randrange(CHANGES_MAX + 1)):
        at = random.randrange(len(objects))
        objects[at] = spoil(objects[at], random, names)
    parts = [written(each) for each in objects]
    if len(parts) > 1 and random.randrange(8) == 5:
        parts.insert(
            random.randrange(len(parts)), random.choice(("", "{", "[DONE]", "null", "5", SECRET, *parts))
        )
    match good.together:
        case "array":
            return ("[" + ",".join(parts) + "]").encode("utf-8", "surrogatepass")
        case "lines":
            return "".join(f"{each}\n" for each in parts).encode("utf-8", "surrogatepass")
        case "stream":
            text = "".join(f"data: {each}\n\n" for each in parts) + random.choice(("", "data: [DONE]\n\n"))
            body = text.replace("\n", random.choice(("\n", "\n", "\r\n", "\r"))).encode(
                "utf-8", "surrogatepass"
            )
            return body[: random.randrange(len(body) + 1)] if random.randrange(3) == 1 else body
        case _:
            return parts[0].encode("utf-8", "surrogatepass")


def _in_protobuf(
    good: GoodRequest, items: list[dict[str, Any]], random: Random, names: tuple[str, ...]
) -> tuple[bytes, bool]:
    for _ in range(random.randrange(CHANGES_MAX + 2)):
        attributes = random.choice(items)
        name = random.choice((*attributes, random.choice(names)))
        match random.randrange(5):
            case 0:
                attributes.pop(name, None)
            case 1:
                attributes[random.choice((*names, NAME))] = random.choice(_TYPED)
            case _:
                attributes[name] = random.choice(_TYPED)
    body = bytes(good.build(items).SerializeToString())
    twice = random.randrange(20) == 11
    return body * (2 if twice else 1), not twice


def _attribute_numbers(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    said = {
        f"{place}.{name}": value
        for place, each in enumerate(items)
        for name, value in each.items()
        if not isinstance(value, bytes)
    }
    finite = {
        name: value for name, value in said.items() if not isinstance(value, float) or math.isfinite(value)
    }
    return [(name.partition(".")[2], number) for name, number in numbers_in(json.dumps(finite).encode())]


def _anything(random: Random, names: tuple[str, ...], depth: int = 0) -> Any:
    kind = random.randrange(8)
    if kind < 3 and depth < 5:
        return {
            random.choice((*names, NAME)): _anything(random, names, depth + 1)
            for _ in range(random.randrange(6))
        }
    if kind == 3 and depth < 5:
        return [_anything(random, names, depth + 1) for _ in range(random.randrange(4))]
    return random.choice(
        (random.randrange(-5, 2**16), random.choice(HOSTILE), random.choice(STRANGE), Spelled("null"), 1.5)
    )


def _beside(said: Any, random: Random) -> dict[str, str]:
    """Headers, or a query."""
    found = dict(said)
    if random.randrange(6) == 3:
        name = random.choice(
            (
                *found,
                "label.team",
                "label.user",
                "label.own",
                "spendmeter-labels",
                "idempotency-key",
                "prefer",
                "time",
                "batch",
                "input_tokens",
                "interrupted",
                NAME,
            )
        )
        found[name] = random.choice(
            (
                SECRET,
                "",
                "true",
                "5",
                "-1",
                "9" * 40,
                "NaN",
                f"team={SECRET}",
                SECRET * 20,
                "a=b,c",
                "\u202e",
                "2026-11-23T09:00:00Z",
                "99999-01-01",
            )
        )
    return found


def _path(good: GoodRequest, random: Random) -> dict[str, str]:
    if good.path and random.randrange(12) == 7:
        return {"provider": random.choice((*sorted(PROVIDERS), SECRET))}
    return dict(good.path)


def _repacked(body: bytes, random: Random) -> bytes:
    """As it comes out of its packing; what is packed badly is refused, or comes out as it is."""
    match random.randrange(12):
        case 5:
            packed, unpack = gzip.compress(body, 1, mtime=0), gunzip
        case 7:
            packed, unpack = zstandard.compress(body, 1), unzstd
        case _:
            return body
    return unpack(damage(packed, random) if random.randrange(3) == 1 else packed, 10**7)


def again(request: FuzzedRequest) -> Incoming:
    """The same once more."""
    return replace(request.incoming)
