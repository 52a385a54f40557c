"""JSON that was good and is spoiled: its tree in Python, what is done to it, and how it is written down again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from random import Random
from typing import Any

SECRET = "tell-nobody-7f3a91"
"""Stands where a value can: nothing that is said of a request may repeat it."""
CONTENT = "what-people-wrote-5c0d"
"""Stands where prompts and answers do: no event may have it."""
NAME = "name-of-a-field-88e1"
"""Stands where a field's name can, which may be said."""


class Spelled(str):
    """JSON as it is written, which no value of Python's would be."""


HOSTILE: tuple[Any, ...] = tuple(
    Spelled(text)
    for text in (
        *("NaN", "Infinity", "-Infinity", "-1", "-0", "-0.0", "-0.5", "1e400", "-1e400", "1e-400", "1E+999999999"),
        *("1E-999999999", "1e18", "1e19", "9223372036854775807", "9223372036854775808", "18446744073709551616"),
        *("1.5", "0.1", "0", "1", "7", "1e3", "5.0", "0.0000000000001", "1" + "0" * 400, "0." + "3" * 400),
        *('"5"', '"007"', '"1_000"', '" 7 "', '"NaN"', '"Infinity"', '"sNaN"', '"1e9"', '"-1"', '"1e400"', '"0x10"'),
        *('"\\uff11\\uff12"', '"' + "9" * 5000 + '"', '"12.5"', '"1E+999999999"', '"9223372036854775808"', '""'),
        *("true", "false", "null", "[]", "{}", "[5]", '{"a":5}', "[[5]]", '[{"type":"text"}]'),
    )
    if text not in ("NaN", "Infinity", "-Infinity")
)  # fmt: skip
NO_JSON: tuple[Any, ...] = tuple(
    map(Spelled, ("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "--1", '"\\x"', '"tab\there"', '"'))
)
"""With which nothing around it can be read."""
STRANGE: tuple[Any, ...] = (
    SECRET,
    f"12{SECRET}",
    f"{SECRET}:{SECRET}",
    "x" * 300,
    "y" * 5_000,
    *map(Spelled, ('"\\ud800"', '"\\u0000"', '"a\\u0000b"', '"\\u202e"', '"e\\u0301"', '"\\ud83d\\ude00"')),
    *map(Spelled, ("null", "5", "true", "[]", "{}", '{"' + NAME + '":"' + SECRET + '"}')),
    Spelled("[" * 3_000 + "]" * 3_000),
    Spelled('{"a":' * 1_500 + "1" + "}" * 1_500),
)  # fmt: skip
RAW = (
    b"\xff\xfe",
    b"\x00",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"{",
    b"}",
    b"]",
    b",",
    b'"',
    b"\\",
    b"\n",
    b"\r\n\r\n",
    b"data:",
)


class Twin(str):
    """A key that is none of the others of its table, though it is spelled like one."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def written(value: Any) -> str:
    """As JSON, with what is spelled in it."""
    if isinstance(value, Spelled):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def with_content(value: Any, kept: frozenset[str], name: str = "") -> Any:
    """A copy in which every text of a field that is not `kept` is content."""
    if isinstance(value, dict):
        return {key: with_content(each, kept, key) for key, each in value.items()}
    if isinstance(value, list):
        return [with_content(each, kept, name) for each in value]
    return CONTENT if isinstance(value, str) and name not in kept else value


def names_in(value: Any) -> Iterator[str]:
    """The names of its fields, and of theirs."""
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from names_in(each)


def spoil(value: Any, random: Random, names: tuple[str, ...]) -> Any:
    """The value with one change somewhere in it, made in place so far as there is a place."""
    holders = [(holder, key) for holder in _holders(value) for key in _keys(holder)]
    if not holders:
        return random.choice(HOSTILE)
    holder, key = random.choice(holders)
    if random.randrange(16) == 9:
        holder[key] = random.choice(NO_JSON)
        return value
    _CHANGES[random.randrange(len(_CHANGES))](holder, key, random, names)
    return value


def damage(body: bytes, random: Random) -> bytes:
    """The body, cut or with something wrong in it."""
    at = random.randrange(len(body) + 1)
    match random.randrange(5):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + random.choice(RAW) + body[at:]
        case 2:
            return body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
        case 3:
            end = min(len(body), at + random.randrange(40))
            return body[:end] + body[at:]
        case _:
            return body[:at] + body[at + random.randrange(40) :]


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _holders(each)


def _keys(holder: Any) -> Any:
    return list(holder) if isinstance(holder, dict) else range(len(holder))


def _hostile(holder: Any, key: Any, random: Random, _names: Any) -> None:
    holder[key] = random.choice(HOSTILE)


def _strange(holder: Any, key: Any, random: Random, _names: Any) -> None:
    holder[key] = random.choice(STRANGE)


def _count(holder: Any, key: Any, random: Random, _names: Any) -> None:
    holder[key] = random.choice((0, 1, 3, 5, 100, 10_000, 2**40))


def _left_out(holder: Any, key: Any, _random: Random, _names: Any) -> None:
    del holder[key]


def _doubled(holder: Any, key: Any, random: Random, _names: Any) -> None:
    again = random.choice((holder[key], random.choice(HOSTILE), random.choice(STRANGE)))
    if isinstance(holder, dict):
        holder[Twin(key)] = again
    else:
        holder.insert(key, again)


def _renamed(holder: Any, key: Any, random: Random, names: tuple[str, ...]) -> None:
    """Content does not move: under another name it would be something else."""
    if isinstance(holder, dict):
        value = holder.pop(key)
        said = json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
        holder[random.choice((*names, NAME))] = random.choice(HOSTILE) if CONTENT in said else value


def _added(holder: Any, _key: Any, random: Random, names: tuple[str, ...]) -> None:
    value = random.choice((random.choice(HOSTILE), random.choice(STRANGE)))
    if isinstance(holder, dict):
        holder[random.choice((*names, NAME))] = value
    else:
        holder.append(value)


def _nested(holder: Any, key: Any, random: Random, names: tuple[str, ...]) -> None:
    value = holder[key]
    holder[key] = random.choice(
        ([value], [value, value], {random.choice(names): value} if not _is_content(value) else [value])
    )


def _is_content(value: Any) -> bool:
    return not isinstance(value, int | float | bool)


_CHANGES = (
    _hostile,
    _hostile,
    _hostile,
    _strange,
    _strange,
    _count,
    _count,
    _left_out,
    _doubled,
    _renamed,
    _added,
    _nested,
)

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(:?)|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|([{}\[\],])', re.DOTALL)
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d+)?([eE][-+]?\d{1,3})?\s*")
_LINE_END = re.compile(r"[\r\n]+")
_VALUES = frozenset({"value", "intValue", "doubleValue", "stringValue", "boolValue", "arrayValue", "values"})


def numbers_in(body: bytes) -> list[tuple[str, str]]:
    """Every number that a body states, whatever it is, also in a text: with the name that stands before it. Of
    OTLP's attributes that is their key."""
    found, name = [], ""
    lines = _LINE_END.split(body.decode("utf-8", "replace"))  # no text of JSON goes on in the next one
    for text, colon, number, _ in chain.from_iterable(map(_TOKEN.findall, lines)):
        if colon:
            name = name if text in _VALUES and name not in _VALUES else text
        elif number:
            found.append((name, number))
        elif text:
            if name == "key":
                name = text
            elif _NUMBER.fullmatch(text):
                found.append((name, text.strip()))
    return found
