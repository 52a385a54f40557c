"""What every channel says of an incident, as plain text that fits: strangers chose parts of it. Pure.

Labels and names of keys and budgets come from whoever sends events. A character that cannot be seen is shown
as its escape, so no text has a line, a header or a direction that we did not give it; each dialect escapes
what its own receiver would act on.
"""

from spendmeter.contracts.incidents import IncidentEvent, TopContributor
from spendmeter.contracts.visible import visible

CUT = "…"
TITLE_CHARACTERS_MAX = 1024
TEXT_CHARACTERS_MAX = 4000
FACT_CHARACTERS_MAX = 500
LABEL_CHARACTERS_MAX = 100
FACTS_MAX = 16

_HEADS = {
    "opened": "",
    "updated": "",
    "grew": "Grew: ",
    "repeated": "Again: ",
    "acknowledged": "Acknowledged: ",
    "resolved": "",  # its own words say that it is over
}


def shortened(text: str, characters_max: int) -> str:
    """The text, cut at its end where it is longer, with a mark that says so.

    Counted as UTF-16 does, as some receivers count: an emoji is two, and is never halved.
    """
    units = text.encode("utf-16-le")
    if len(units) <= 2 * characters_max:
        return text
    return units[: 2 * max(characters_max - len(CUT), 0)].decode("utf-16-le", errors="ignore") + CUT


def utf16_units(text: str) -> int:
    """How long it is, for those who count so."""
    return len(text.encode("utf-16-le")) // 2


def one_line(text: str, characters_max: int) -> str:
    """Text as one visible line of at most so many characters."""
    return shortened(visible(text[: characters_max + 1]), characters_max)


def headline(event: IncidentEvent, characters_max: int = TITLE_CHARACTERS_MAX) -> str:
    """The news in one line, with what has become of it."""
    said = (event.title, event.summary, event.rule_name)
    news = next((text for text in said if text.strip()), "an incident")
    return one_line(_HEADS.get(event.transition, "") + news, characters_max)


def account(event: IncidentEvent, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """What happened in a few sentences, and what to do first; the headline where nothing is said."""
    said = " ".join(part for part in (event.summary, _action(event)) if part)
    return one_line(said, characters_max) if said.strip() else headline(event, characters_max)


def facts(event: IncidentEvent, characters_max: int = FACT_CHARACTERS_MAX) -> list[tuple[str, str]]:
    """Labels and values, the most telling first: figures, where, who; amounts as the incident says them."""
    found = [(figure.label, figure.text) for figure in event.figures] or _rates(event)
    found += [(name.removesuffix("_id"), named(event, name, value)) for name, value in event.scope.items()]
    found += _mostly(event, event.top_contributor)
    found += [("severity", event.severity), ("tenant", event.tenant), ("rule", event.rule_name)]
    if event.repeats:
        found.append(("times before", str(event.repeats)))
    lines = [
        (one_line(label, LABEL_CHARACTERS_MAX), one_line(value, characters_max)) for label, value in found
    ]
    return [(name, value) for name, value in lines if name.strip() and value.strip()][:FACTS_MAX]


def named(event: IncidentEvent, dimension: str, value: str) -> str:
    """A key's name before its id: people know the one, revoking takes the other."""
    name = event.key_names.get(value, "") if dimension == "key_id" else ""
    return f"{name} ({value})" if name else value


def plain_text(event: IncidentEvent, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """All of it as lines, the link last and whole."""
    return with_link(plain_lines(event), event, characters_max)


def plain_lines(event: IncidentEvent) -> str:
    """All of it but the link."""
    return "\n".join([account(event), "", *(f"{label}: {value}" for label, value in facts(event))])


def with_link(text: str, event: IncidentEvent, characters_max: int) -> str:
    """The text, cut where it must be, and behind it the link, which has half of the room at most."""
    link = link_within(event, characters_max // 2)
    link = f"\n\n{link}" if link else ""
    return shortened(text, characters_max - len(link)) + link


def link_within(event: IncidentEvent, characters_max: int) -> str:
    """The link; where names that somebody chose make it too long, the portal's page without its filters; ''
    where that does not fit either. Half a link leads nowhere."""
    page = event.link.partition("?")[0]
    return next((link for link in (event.link, page) if utf16_units(link) <= characters_max), "")


def _action(event: IncidentEvent) -> str:
    return "" if event.state == "resolved" else event.suggested_action


def _rates(event: IncidentEvent) -> list[tuple[str, str]]:
    """Of an incident that brings no figures of its own."""
    unit = event.currency
    return [
        ("highest rate", f"{event.peak_per_hour} {unit}/h"),
        ("expected rate", f"{event.expected_per_hour} {unit}/h"),
        ("so far", f"{event.amount} {unit}"),
        ("expected", f"{event.expected} {unit}"),
    ]


def _mostly(event: IncidentEvent, top: TopContributor) -> list[tuple[str, str]]:
    """What the largest part of it is, where the scope does not say it."""
    where = [
        f"{name.removesuffix('_id')} {named(event, name, value)}"
        for name, value in top.dimensions.items()
        if value and name not in event.scope
    ]
    return [("mostly", ", ".join(where))] if where else []
