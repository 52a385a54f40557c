"""What a budget for every value of a dimension may be. Pure."""

from collections.abc import Collection, Mapping

OF_RUNS, OF_USERS = "run", "user"
"""No dimension of series: what a run, or a person in a month, comes to is folded apart."""
RUN_FILTERS = frozenset({"agent", "workflow", "workflow_version", "cost_class", "provider", "sku"})
"""What is known of a run's spend."""


def template_trouble(
    each: str, scope: Mapping[str, str], period: str, *, hard: bool, forecast: bool, known: Collection[str]
) -> tuple[str, str] | None:
    """The field, and why there can be no such template; None = there can. `known`: the tenant's
    dimensions."""
    if not each:
        return None
    if each not in known and each not in {OF_RUNS, OF_USERS}:
        return "each", f"{each[:64]!r} is not one of {', '.join([*known, OF_RUNS, OF_USERS])}"
    if each in scope:
        return "each", f"the filter names one {each}: that is one budget"
    if hard:
        return "hard", "is not for a budget of each value: set one for the value that is to be stopped"
    if forecast:
        return "forecast_thresholds_percent", "are not for a budget of each value"
    if period == "rolling":
        return "period", "rolling is not for a budget of each value"
    if each == OF_RUNS:
        return _trouble_of_runs(scope, period)
    if each == OF_USERS and (period != "month" or scope):
        field = "period" if period != "month" else "filter"
        return field, (
            "a budget of each user is of all of a month of UTC: what a user is called is another name in the "
            "next month, and what a name spent is known in all"
        )
    return None


def _trouble_of_runs(scope: Mapping[str, str], period: str) -> tuple[str, str] | None:
    if unknown := sorted(scope.keys() - RUN_FILTERS):
        return "filter", f"of runs {unknown[0][:64]!r} is not known, only {', '.join(sorted(RUN_FILTERS))}"
    if period == "custom":
        return "period", "custom is not for a budget of each run: its period begins with the day it began"
    return None
