"""What this release says otherwise than the public catalog, and whether that is still needed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli._options import JsonOption, printed_as_json
from cli._running import fail, usage_error
from cli._terminal import say
from cli.catalog._api import contents


def corrections(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A release of the public catalog: genai-prices' data.json. Default: the shipped."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """List our corrections of the public catalog: the rule, where it stands, and whether it is still needed,
    has become superfluous, or is contradicted. Asks no running system. Exit code 1 where one is not needed.

    \b
    Examples:
      spendmeter catalog corrections
      spendmeter catalog corrections data.json
    """
    from spendmeter.pricing.conditions import CatalogError

    try:
        said = _said(file)
    except CatalogError as error:
        fail(str(error))
    if not printed_as_json(said, json):
        for each in said["corrections"]:
            _print(each)
        counts = [f"{count} {state}" for state, count in said["counts"].items()]
        say(f"{len(said['corrections'])} corrections of {said['of']}: {', '.join(counts)}")
        for each in said["hidden"]:
            say(f"hides more than it says: {each}")
    if said["hidden"] or set(said["counts"]) > {"needed"}:
        raise typer.Exit(1)


def _said(file: Path | None) -> dict[str, Any]:
    from spendmeter.pricing.catalog import load_own, load_public
    from spendmeter.pricing.catalog.corrections import shipped_corrections
    from spendmeter.pricing.catalog.formats import is_public_release
    from spendmeter.pricing.catalog.read import read_prices
    from spendmeter.pricing.review.corrected import Corrected
    from spendmeter.pricing.review.hidden import hidden

    now, public = datetime.now(UTC), None
    if file is not None:
        raw = contents(file)
        if not is_public_release(file.name, raw):
            usage_error(f"{file} is no release of the public catalog: that is genai-prices' data.json")
        public = read_prices(file.name, raw, recorded_at=now)
    rules = shipped_corrections()
    laid = Corrected(load_public() if public is None else public, load_own(), rules)
    states = laid.states(now)
    counts = dict.fromkeys(("needed", "superfluous", "contradicted"), 0)
    for state in states:
        counts[state.state] += 1
    return {
        "of": "the shipped public catalog" if file is None else file.name,
        "counts": {state: count for state, count in counts.items() if count or state == "needed"},
        "hidden": hidden(rules, laid.said),
        "corrections": [_one(*both, laid) for both in zip(rules, states, strict=True)],
    }


def _one(rule: Any, state: Any, laid: Any) -> dict[str, Any]:
    """A correction as people and machines are told of it."""
    seen = (*rule.said.replaces, *rule.said.beside)
    return {
        "correction": rule.key,
        "rule": rule.said.rule,
        "source": rule.said.source,
        "read": rule.said.read.isoformat(),
        "second_hand": rule.said.second_hand,
        "state": state.state,
        "reasons": list(state.reasons),
        "public_now": [
            {
                "sku": f"{rule.provider_of(each)}/{each.sku}",
                "was": each.was,
                "is": laid.said.said_of(rule, each),
            }
            for each in seen
        ],
    }


def _print(each: dict[str, Any]) -> None:
    hand = ", second-hand" if each["second_hand"] else ""
    say(f"{each['correction']}: {each['state']}")
    say(f"  {each['rule']}")
    say(f"  {each['source']}, read {each['read']}{hand}")
    for reason in each["reasons"] if each["state"] != "needed" else ():
        say(f"  {reason}")
