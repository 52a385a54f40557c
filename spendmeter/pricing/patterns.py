"""Which names two matches have in common: `*` is anything, `#` one digit, all else itself. Pure."""

import re
from functools import cache

_DIGITS = frozenset("0123456789#")


@cache
def may_meet(one: str, other: str) -> bool:
    """Whether some name is like both."""
    if "*" not in one and "*" not in other:
        return len(one) == len(other) and all(map(_same, one, other))
    reached = {(0, 0)}
    todo = [(0, 0)]
    while todo:
        i, j = todo.pop()
        if (i, j) == (len(one), len(other)):
            return True
        for step in _steps(one[i : i + 1], other[j : j + 1]):
            place = i + step[0], j + step[1]
            if place not in reached:
                reached.add(place)
                todo.append(place)
    return False


def _steps(a: str, b: str) -> list[tuple[int, int]]:
    """How far one character of a name, or none, may lead in both; '' = the match is at its end."""
    steps = []
    if a == "*":
        steps += [(1, 0)] + ([(0, 1)] if b else [])
    if b == "*":
        steps += [(0, 1)] + ([(1, 0)] if a else [])
    if a and b and _same(a, b):
        steps.append((1, 1))
    return steps


def _same(a: str, b: str) -> bool:
    return a == b or (a == "#" and b in _DIGITS) or (b == "#" and a in _DIGITS)


def is_exact(match: str) -> bool:
    """Whether one name alone is like it."""
    return "*" not in match and "#" not in match


def within(inner: str, outer: str) -> bool:
    """Whether every name like `inner` is like `outer`; False where that takes more than a look."""
    like = re.escape(outer).replace(r"\*", ".*").replace(r"\#", "[0-9#]")
    return re.fullmatch(like, inner, re.DOTALL) is not None
