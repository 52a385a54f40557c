"""Which names genai-prices' match clauses mean, as the globs of a price file: `*` anything, `#` one digit."""

import re
from collections.abc import Iterator
from itertools import product

from genai_prices import types as source

_NOT_TTS = "^(?!.*-[tT][tT][sS](?:$|-))"


def globs(clause: source.MatchLogic) -> Iterator[str]:
    """Every name or glob that the clause takes, lower case. Raises ValueError for what no glob says."""
    for part in _alternatives(clause):
        match part:
            case source.ClauseEquals():
                yield part.equals.lower()
            case source.ClauseStartsWith():
                yield f"{part.starts_with.lower()}*"
            case source.ClauseContains():
                yield f"*{part.contains.lower()}*"
            case source.ClauseEndsWith():
                yield f"*{part.ends_with.lower()}"
            case source.ClauseRegex():
                yield from _regex_globs(part.regex)
            case source.ClauseAnd():
                every = [glob for item in part.and_ if not _excludes(item) for glob in globs(item)]
                yield "".join(every).replace("**", "*")
            case _:
                raise ValueError(f"the match {part}")


def exact_names(clause: source.MatchLogic) -> Iterator[str]:
    """The names that the clause lists one by one, lower case."""
    for part in _alternatives(clause):
        if isinstance(part, source.ClauseEquals):
            yield part.equals.lower()


def exceptions(clause: source.MatchLogic) -> set[str]:
    """Globs of what an `and` excludes; the one such expression in use means: no part named tts."""
    for part in _alternatives(clause):
        if isinstance(part, source.ClauseAnd) and any(map(_excludes, part.and_)):
            return {"*-tts", "*-tts-*"}
    return set()


def _alternatives(clause: source.MatchLogic) -> Iterator[source.MatchLogic]:
    if isinstance(clause, source.ClauseOr):
        for part in clause.or_:
            yield from _alternatives(part)
    else:
        yield clause


def _excludes(clause: source.MatchLogic) -> bool:
    return isinstance(clause, source.ClauseRegex) and clause.regex == _NOT_TTS


def _regex_globs(regex: str) -> Iterator[str]:
    """The globs that mean the same as `regex`, which may have literals, digits, [ab] and (...)? alone."""
    if not regex.startswith("^"):
        raise ValueError(f"the regular expression {regex}")
    body, closed = (regex[1:-1], True) if regex.endswith("$") else (regex[1:], False)
    body = re.sub(r"\\d\{(\d)\}", lambda found: "#" * int(found[1]), body).replace(r"\d", "#")
    choices = [
        ([part[1:-2], ""] if part.endswith(")?") else list(part[1:-1]) if part.startswith("[") else [part])
        for part in re.findall(r"\([^()]+\)\?|\[[^]]+\]|(?:\\.|[^\\(\[])+", body)
    ]
    for parts in product(*choices):
        name = "".join(parts) + ("" if closed else "*")
        name = re.sub(r"\\([.\[\]])", r"\1", name)
        if re.search(r"[\\()?+|^$]", name):
            raise ValueError(f"the regular expression {regex}")
        yield name.lower()
