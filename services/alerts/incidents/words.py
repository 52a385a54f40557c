"""The words in which people read an incident: a title with the news, figures with labels, a summary. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from services.alerts.incidents.causes import (
    name_of_scope,
    names_of_causes,
    sentence_of_causes,
    sentence_of_split,
)
from services.alerts.incidents.incident import CORRECTED, LASTED, Incident, is_corrected
from services.alerts.incidents.joining import parts_in_title
from services.alerts.incidents.phrases import (
    about,
    figures_of,
    lasting,
    little_known,
    money,
    percent,
    places,
    rounded,
    since,
    to_the_minute,
    value_of,
)
from services.alerts.incidents.repeats import growth, growth_in_full, in_all, times
from services.alerts.scopes import MINUTE, NAMING_ORDER
from spendmeter.contracts.money import divided, plain, presented

AROUND = timedelta(minutes=30)
"""The link to an anomaly shows so much before and after it: what is usual is seen beside it."""

_NO_FILTERS = frozenset({"run", "user"})
"""No dimensions of series: of what somebody spent in all there is no page."""


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What words need beside the incident: the tenant's zone, names of keys, and where the portal is."""

    zone: ZoneInfo
    key_names: Mapping[str, str] = field(default_factory=dict)
    """By id; keys that are missing are named by their ids."""
    portal_url: str = ""
    """'' = nobody has said."""

    def with_words(self, incident: Incident) -> Incident:
        """The incident with the words that its figures deserve."""
        names = {**incident.key_names, **self.key_names}
        known = {key: names[key] for key in key_ids(incident) if key in names}
        incident = replace(incident, key_names=known)
        return replace(
            incident,
            title=self.title(incident) + parts_in_title(incident.details),
            summary=self.summary(incident),
            suggested_action=self.action(incident),
            figures=self.figures(incident),
            link=self.link(incident),
        )

    # What the words of a kind say otherwise they override.

    def title(self, incident: Incident) -> str:
        """The news in one line, with rounded amounts."""
        return title(incident)

    def summary(self, incident: Incident) -> str:
        """What happened, where, since when, how much: a few sentences."""
        return summary(incident, self.zone)

    def action(self, incident: Incident) -> str:
        """One thing to do first."""
        return suggested_action(incident)

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """What it says in numbers, each with its label, the most telling first."""
        return figures(incident)

    def link(self, incident: Incident) -> str:
        """Where the portal shows it; '' without a portal's address."""
        return link(incident, self.portal_url)


def key_ids(incident: Incident) -> set[str]:
    """The keys that the incident speaks of."""
    causes = [cause["scope"] for cause in incident.details.get("explanation", {}).get("causes", ())]
    scopes = [incident.scope, incident.top_contributor["dimensions"], *causes]
    scopes += incident.details.get("sources", ())
    return {scope["key_id"] for scope in scopes if scope.get("key_id")}


def title(incident: Incident) -> str:
    """The news in one line, with rounded amounts."""
    if incident.kind == "budget":
        return _title_of_budget(incident)
    nothing = "not known yet" if incident.details.get("history_waits") else "nothing"
    usual = about(incident.expected_per_hour) if incident.expected_per_hour > 0 else nothing
    peak = f"{about(incident.peak_per_hour)} {incident.currency}/h"
    over = incident.state == "resolved"
    ended = not over and incident.rate_per_hour <= incident.expected_per_hour
    verb = "spent up to" if (over and not _goes_on_as_usual(incident)) or ended else "spends"
    if is_corrected(incident):
        verb = "seemed to spend up to"
    now = f", {about(incident.rate_per_hour)} now" if ended else ""
    news = f"{_causes(incident)}{_scope(incident)} {verb} {peak}{now}, usually {usual}"
    return f"{_how_it_ended(incident)}{news}{times(incident)}{growth(incident)}"


def _title_of_budget(incident: Incident) -> str:
    details, reached = incident.details, incident.threshold_percent
    assert reached is not None
    if details.get("doubled") and not is_corrected(incident):
        reached *= 2 ** details["doublings"]
    hours = details.get("last_hours")
    threshold, again = plain(reached), " again" if incident.episode and not hours else ""
    passed = f"passed {threshold} %{again}"
    news = f"budget {incident.rule_name}{_of_value(incident)} {passed}"
    if is_corrected(incident):
        news = f"budget {incident.rule_name}{_of_value(incident)} is below {threshold} %"
    elif beyond := details.get("values_beyond"):
        news = f"budget {incident.rule_name}: {beyond} more values of {details['each']} {passed}"
    elif details.get("late"):
        news += " after its period was over"
    spent, limit = (rounded(amount) for amount in (incident.amount, incident.expected))
    within = f" in {hours} hours" if hours else ""
    spoken = f"{spent} of {limit} {incident.currency} spent{within}{with_others(incident)}"
    return f"{_how_it_ended(incident)}{news}: {spoken}"


def _of_value(incident: Incident) -> str:
    """Of a template's incident whose it is."""
    each = incident.details.get("each", "")
    if each not in incident.scope:
        return ""
    return f" of {each.removesuffix('_id')} {value_of(incident, each, incident.scope[each])}"


def corrected(incident: Incident, before: Decimal) -> str:
    """The resolution of an incident whose amount corrections have brought down from `before`."""
    amount, expected, before_it = (
        money(incident, each) for each in (incident.amount, incident.expected, before)
    )
    limit = f"where {expected} was expected"
    if incident.threshold_percent is not None:
        limit = f"below {plain(incident.threshold_percent)} % of {expected}"
    return f"{CORRECTED}spend fell to {amount}, {limit} (from {before_it})"


def with_others(incident: Incident) -> str:
    """Behind the amount: the budgets around this one that the same money broke."""
    others = incident.details.get("with", ())
    if not others or incident.state == "resolved":
        return ""
    first = f"{others[0]['name']} passed {others[0]['threshold_percent']} %"
    return f"; with it {first}" + (f" and {len(others) - 1} more" if others[1:] else "")


def others_in_full(incident: Incident) -> str:
    """A sentence on budgets that are told with this one, or with which it is told."""
    if told_with := incident.details.get("told_with"):
        return f"It was told with budget {told_with!r}, which lies within it."
    others = [
        f"budget {other['name']!r} passed {other['threshold_percent']} % "
        f"({places(Decimal(other['amount']))} of {places(Decimal(other['expected']))} {incident.currency})"
        for other in incident.details.get("with", ())
    ]
    return f"With it {', '.join(others)}." if others else ""


def rolled_out(incident: Incident) -> str:
    """The resolution of an incident of a budget that rolls, whose last hours came to less."""
    assert incident.threshold_percent is not None
    amount, expected = money(incident, incident.amount), money(incident, incident.expected)
    threshold = plain(incident.threshold_percent)
    hours = incident.details["last_hours"]
    return f"the last {hours} hours came to {amount}, well below {threshold} % of {expected}"


def figures(incident: Incident) -> list[dict[str, str]]:
    """What the incident says in numbers, the most telling first."""
    anomaly = incident.kind == "anomaly"
    rate = f"{incident.currency}/h"
    told = [
        ("highest rate", incident.peak_per_hour, rate),
        ("usual rate" if anomaly else "rate that would fill the budget", incident.expected_per_hour, rate),
        ("spent since it began" if anomaly else "spent in the period", incident.amount, incident.currency),
        ("expected meanwhile" if anomaly else "budget", incident.expected, incident.currency),
    ]
    if incident.state != "resolved":
        told.append(("rate at the last look", incident.rate_per_hour, rate))
    if incident.of_which_provisional > 0:
        told.append(("of it priced by an upper bound", incident.of_which_provisional, incident.currency))
    if incident.corrected:
        told.append(("of it changed by corrections", incident.corrected, incident.currency))
    if not anomaly:
        told = [*told[2:4], *told[:2], *told[4:]]
    return figures_of(told)


def link(incident: Incident, portal_url: str) -> str:
    """Where the portal shows what was spent in the scope, and when; '' without a portal's address."""
    if not portal_url:
        return ""
    if incident.period_start is not None and incident.period_end is not None:
        start, end = incident.period_start, incident.period_end
    else:
        start, end = incident.began_at - AROUND, max(incident.hot_at, incident.began_at) + AROUND
    query = {"from": to_the_minute(start), "to": to_the_minute(end), "by": "sku"}
    filters = {name: value for name, value in sorted(incident.scope.items()) if name not in _NO_FILTERS}
    query |= {f"filter.{name}": value for name, value in filters.items()}
    return f"{portal_url.rstrip('/')}/#/?{urlencode(query)}"


def summary(incident: Incident, zone: ZoneInfo) -> str:
    """What changed, how fast, against what, how much in all, where, since when: a few sentences."""
    sentences = [_ended(incident, zone) if incident.state == "resolved" else _goes_on(incident, zone)]
    more = (in_all(incident), growth_in_full(incident), others_in_full(incident), little_known(incident))
    sentences += [each for each in more if each]
    if incident.corrected:
        verb = "raised" if incident.corrected > 0 else "lowered"
        sentences.append(f"Corrections {verb} it by {money(incident, abs(incident.corrected))}.")
    sentences += where_and_why(incident)
    if incident.of_which_provisional > 0 and incident.amount > 0:
        share = divided(incident.of_which_provisional, incident.amount)
        sentences.append(f"{percent(share)} of it is provisional: priced by an upper bound.")
    return " ".join(sentences)


def where_and_why(incident: Incident) -> list[str]:
    """Sentences on the causes, or else the top contributor, and on the parts of the change, if known."""
    explanation = incident.details.get("explanation", {})
    causes = sentence_of_causes(explanation, incident.currency, partial(value_of, incident))
    told = (causes or summary_of_where(incident), sentence_of_split(explanation, incident.currency))
    return [sentence for sentence in told if sentence]


def summary_of_where(incident: Incident) -> str:
    """A sentence on the top contributor, by what the scope does not say already; '' = nothing is known."""
    top = incident.top_contributor
    where = {name: top["dimensions"].get(name, "") for name in NAMING_ORDER if name not in incident.scope}
    named = ", ".join(_named(incident, name, value) for name, value in where.items() if value)
    return f"{percent(Decimal(top['share']))} of it is {named}." if named else ""


def suggested_action(incident: Incident) -> str:
    """One thing to do first."""
    dimensions = dict(incident.top_contributor["dimensions"]) | dict(incident.scope)
    for dimension, action in _ACTIONS.items():
        if value := dimensions.get(dimension):
            return action.format(value_of(incident, dimension, value))
    return "Ask who is spending it: group the spend by team and by key."


_ACTIONS = {
    "agent": "Look at agent {}: stop it if nobody expects this.",
    "workflow": "Look at workflow {}: stop it if nobody expects this.",
    "feature": "Look at feature {}: switch it off if nobody expects this.",
    "key_id": "Find the owner of key {}; revoke it if nobody expects this.",
    "team": "Ask team {} whether this is expected.",
}


def _how_it_ended(incident: Incident) -> str:
    if incident.state != "resolved":
        return ""
    if _goes_on_as_usual(incident):
        return "From now on taken for usual: "
    return "Corrected: " if is_corrected(incident) else "Over: "


def _goes_on_as_usual(incident: Incident) -> bool:
    """Whether it is over for it has lasted so long, and its money is spent on."""
    return incident.resolution == LASTED and incident.rate_per_hour > incident.expected_per_hour


def _goes_on(incident: Incident, zone: ZoneInfo) -> str:
    amount, expected = money(incident, incident.amount), money(incident, incident.expected)
    if incident.kind == "budget":
        share = percent(divided(incident.amount, incident.expected))
        rate = money(incident, incident.rate_per_hour) + " per hour now"
        return (
            f"{_what(incident)} has spent {amount} of {expected} ({share}) {since(incident, zone)}; {rate}."
        )
    ended = incident.rate_per_hour <= incident.expected_per_hour
    now = f" {money(incident, incident.rate_per_hour)} per hour now;" if ended else ""
    verb = "spent" if ended else "spends"
    return (
        f"{_what(incident)} {verb} up to {_rates(incident)}, {since(incident, zone)};{now} {amount} so far, "
        f"{expected} expected."
    )


def _ended(incident: Incident, zone: ZoneInfo) -> str:
    amount, expected = money(incident, incident.amount), money(incident, incident.expected)
    lasted = lasting(
        (incident.resolved_at or incident.updated_at) - max(incident.opened_at, incident.began_at)
    )
    if incident.kind == "budget":
        came = f"{_what(incident)} came to {amount} of {expected} {since(incident, zone)}"
    else:
        came = (
            f"{_what(incident)} spent up to {_rates(incident)}, {_span(incident, zone)}: "
            f"{amount} in all, {expected} expected"
        )
    begins = "It goes on" if _goes_on_as_usual(incident) else "Over"
    return f"{begins}: {incident.resolution}. {came}; the incident was open for {lasted}."


def _what(incident: Incident) -> str:
    scope = ", ".join(_named(incident, *each) for each in incident.scope.items()) or "everything"
    if incident.kind == "budget":
        return f"{incident.tenant}: budget {incident.rule_name!r} ({scope})"
    return f"{incident.tenant}: {scope}"


def _scope(incident: Incident) -> str:
    return name_of_scope(incident.scope, partial(value_of, incident)) or f"tenant {incident.tenant}"


def _causes(incident: Incident) -> str:
    """What explains it, before whose figures they are, where the scope does not say it."""
    named = names_of_causes(incident.details.get("explanation", {}), partial(value_of, incident))
    return f"{named}: " if named else ""


def _named(incident: Incident, dimension: str, value: str) -> str:
    return f"{dimension}={value_of(incident, dimension, value)}"


def _span(incident: Incident, zone: ZoneInfo) -> str:
    """From when to when it was unusual, by the minute."""
    began, until = incident.began_at.astimezone(zone), incident.hot_at.astimezone(zone)
    if until < began + MINUTE:
        return f"within the minute of {began:%Y-%m-%d %H:%M} {zone.key}"
    return f"{since(incident, zone)} until {until:%H:%M}"


def _rates(incident: Incident) -> str:
    """The highest rate of an anomaly, and how it compares with the usual one."""
    peak, usual = (
        f"{money(incident, rate)} per hour" for rate in (incident.peak_per_hour, incident.expected_per_hour)
    )
    if incident.expected_per_hour <= 0:
        return f"{peak}, where nothing was expected ({usual})"
    ratio = divided(incident.peak_per_hour, incident.expected_per_hour)
    times = presented(ratio, 0 if ratio >= 10 else 1)
    return f"{peak}, {times} times what was expected ({usual})"
