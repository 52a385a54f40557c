"""The book set right by the command line alone, on a running system: a wrong price approved, an amend and a void."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli._running import NO_PRICE
from tests.flow.system import System, eventually
from tests.flow.test_catalog import HEADER, change
from tests.flow.test_terms import KEY_WITHIN_S

MODEL = """
[[provider]]
provider = "{provider}"
[[model]]
provider = "{provider}"
sku = "dynamo"
[[model.rates]]
per = {per}
prices = {{ input_tokens = "10" }}
"""
"""10 USD a token, or a million of them."""


KRONER = 'currency = "NOK"\nper ='
RATE = """
[[fx]]
base = "NOK"
quote = "USD"
rate = "{rate}"
effective_from = {since}T00:00:00Z
"""


class Newcomer:
    """A tenant of its own, whose key sends; an operator's key governs, corrects and reads for it."""

    def __init__(self, system: System, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.provider, self.system = f"new-{uuid4().hex[:8]}", f"v{uuid4().hex[:6]}", system
        scopes = [part for scope in ("ingest", "read", "admin") for part in ("--scope", scope)]
        key = system.cli("keys", "create", self.name, "--create-tenant", *scopes).stdout.strip()
        monkeypatch.setenv("SPENDMETER_API_KEY", key)

    def cli(self, *arguments: str) -> Any:
        """What a command answers, of this tenant."""
        return json.loads(self.system.cli(*arguments, "--tenant", self.name, "--json", timeout=120).stdout)

    def send(self, id: str) -> bool:
        """1,000 tokens of dynamo, booked with a price."""
        return self.outcome(id) == 0

    def sent(self, id: str) -> bool:
        """The same, booked with a price or without."""
        return self.outcome(id) in (0, NO_PRICE)

    def outcome(self, id: str) -> int:
        words = f"{self.provider}/dynamo", "input_tokens=1000", "--id", id, "--source", "story"
        return self.system.cli("send", *words, "--label", "team=search", check=False).returncode

    def state_price(self, folder: Path, per: int, *said: str) -> int:
        file = folder / f"{self.provider}-{per}.toml"
        file.write_text(HEADER + MODEL.format(provider=self.provider, per=per))
        return change(self.system, file, *said)

    def spent(self) -> tuple[Decimal, int]:
        """Amount in USD and events."""
        [row] = self.cli("spend", "--range", "today")["totals"]
        return Decimal(row["effective"]), row["events"]

    def incident(self, *, is_resolved: bool = False) -> dict[str, Any]:
        """The budget's; {} where it is not there, or not so yet."""
        states = ("--state", "resolved") if is_resolved else ()
        found: list[dict[str, Any]] = self.cli("incidents", *states)["incidents"]
        return next((each for each in found if each["kind"] == "budget"), {})

    def receipt(self, id: str) -> tuple[dict[str, Any], str]:
        """An event's receipt, for programs and for people."""
        words = "explain", "story", id
        return self.cli(*words), self.system.cli(*words, "--tenant", self.name).stdout


@pytest.fixture
def newcomer(system: System, monkeypatch: pytest.MonkeyPatch) -> Newcomer:
    return Newcomer(system, monkeypatch)


def test_an_event_is_amended_and_one_voided_and_every_entry_stays_on_the_receipt(
    system: System, newcomer: Newcomer, tmp_path: Path
) -> None:
    """At 10 USD a million, 1,000 tokens are 0.01 USD: two events, then one of 3,000 tokens, then that one alone."""
    newcomer.state_price(tmp_path, 1_000_000)
    eventually("ingest knows the key", lambda: newcomer.send("e1"), KEY_WITHIN_S, every_s=0.5)
    assert newcomer.send("e2")
    assert newcomer.spent() == (Decimal("0.02"), 2)
    amended = newcomer.cli(
        "correct", "story", "e1", "--set", "usage.input_tokens=3000", "--reason", "a third of it was counted"
    )
    assert (amended["state"], amended["summary"]) == ("applied", "amended: now 0.03 USD (was 0.01 USD)")
    voided = newcomer.cli("retract", "story", "e2", "--reason", "a test")
    assert (voided["state"], voided["summary"]) == ("applied", "retracted: now 0 USD (was 0.01 USD)")
    assert newcomer.spent() == (Decimal("0.03"), 1)
    first, told = newcomer.receipt("e1")
    assert told.startswith("corrected: now 0.03 USD, priced (was 0.01 USD)")
    assert "list: 3000 input_tokens x 0.00001 = 0.03 USD" in told
    assert "a third of it was counted" in told
    assert "all entries together: 0.03 USD" in told
    second, _ = newcomer.receipt("e2")
    entries = [*first["entries"], *second["entries"]]
    assert sum(Decimal(each["effective"]) for each in entries) == Decimal("0.03")
    assert [each["kind"] for each in entries] == ["usage", "reversal", "replacement", "usage", "reversal"]
    listed = newcomer.cli("corrections", "--state", "applied")["corrections"]
    assert {each["correction_id"] for each in listed} == {amended["correction_id"], voided["correction_id"]}


def test_a_wrong_price_that_was_approved_is_undone_to_the_last_digit_and_its_incident_resolves(
    system: System, newcomer: Newcomer, tmp_path: Path
) -> None:
    """10 USD stated per 1 token, not per million: 3 events of 1,000 tokens are 30,000 USD, and should be 0.03."""
    newcomer.state_price(tmp_path, 1)
    budget = newcomer.cli("budget", "add", "All of it", "100", "--period", "day", "--threshold", "100")
    eventually("ingest knows the key", lambda: newcomer.send("e1"), KEY_WITHIN_S, every_s=0.5)
    assert newcomer.send("e2") and newcomer.send("e3")
    assert newcomer.spent() == (Decimal(30_000), 3)
    opened = eventually("the budget's incident opens", newcomer.incident, every_s=0.5)
    assert (opened["state"], opened["resolution"]) == ("open", "")

    version = newcomer.state_price(tmp_path, 1_000_000, "--replace")
    why = "stated per 1 instead of per million"
    dry = newcomer.cli("rerate", "--publication", str(version), "--reason", why)
    assert (dry["state"], dry["preview"]["changed"], dry["version"]) == ("previewed", 3, version)
    [search] = dry["preview"]["differences"]
    assert (search["team"], search["sku"], search["events"]) == ("search", "dynamo", 3)
    assert (search["effective_before"], search["effective_after"], search["difference"]) == (
        "30000", "0.03", "-29999.97",
    )  # fmt: skip
    assert [each["cause"] for each in dry["preview"]["causes"]] == ["price"]
    assert newcomer.spent() == (Decimal(30_000), 3), "a dry run changes nothing"

    applied = newcomer.cli("rerates", "apply", dry["rerate_id"], "--yes")
    assert (applied["state"], applied["applied"]["changed"]) == ("applied", 3)
    assert newcomer.spent() == (Decimal("0.03"), 3)
    resolved = eventually("the incident resolves", lambda: newcomer.incident(is_resolved=True), every_s=0.5)
    assert (resolved["id"], resolved["rule"]) == (opened["id"], budget["id"])
    assert "correct" in resolved["resolution"].lower(), resolved["resolution"]
    shown = system.cli("incidents", resolved["id"], "--tenant", newcomer.name).stdout
    assert shown.startswith("resolved: ") and f"resolved: {resolved['resolution']}" in shown
    assert [each["spent"] for each in newcomer.cli("budget", "list")["budgets"]] == ["0.03"]
    again = newcomer.cli("rerate", "--publication", str(version), "--reason", "once more", "--apply", "--yes")
    assert (again["preview"]["changed"], newcomer.spent()) == (0, (Decimal("0.03"), 3))

    receipt, told = newcomer.receipt("e1")
    assert told.startswith("corrected: now 0.01 USD, priced (was 10000 USD)")
    assert "list: 1000 input_tokens x 10 = 10000 USD" in told
    assert "list: 1000 input_tokens x 0.00001 = 0.01 USD" in told
    assert why in told
    assert [(each["kind"], each["effective"]) for each in receipt["entries"]] == [
        ("usage", "10000"), ("reversal", "-10000"), ("replacement", "0.01"),
    ]  # fmt: skip
    replacement = receipt["entries"][2]
    assert replacement["cause"]["id"] == dry["rerate_id"]
    assert [(each["cause"], each["difference"]) for each in replacement["difference"]] == [
        ("price", "-9999.99")
    ]
    assert "because of price: 10000 -> 0.01 USD (-9999.99)" in told


def test_an_exchange_rate_that_came_late_prices_what_waited_for_it_when_it_is_approved(
    system: System, newcomer: Newcomer, tmp_path: Path
) -> None:
    """Two events of 0.01 NOK each have no amount; at 0.09 USD a krone they are 0.0009 USD each."""
    file = tmp_path / f"{newcomer.provider}.toml"
    model = MODEL.format(provider=newcomer.provider, per=1_000_000).replace("per =", KRONER)
    file.write_text(HEADER + model + RATE.format(rate="0.1", since="2027-01-01"))
    change(system, file)
    eventually("ingest knows the key", lambda: newcomer.sent("e1"), KEY_WITHIN_S, every_s=0.5)
    assert newcomer.sent("e2")
    rate = tmp_path / f"{newcomer.provider}-rate.toml"
    rate.write_text(HEADER + RATE.format(rate="0.09", since="2026-01-01"))
    proposed = json.loads(system.cli("catalog", "propose", rate, "--json").stdout)
    done = system.cli("catalog", "approve", str(proposed["id"]), "--confirm", "--rerate", "start", "--json")
    offers = json.loads(done.stdout)["rerates"]
    [mine] = [each for each in offers if each["tenant"] == newcomer.name]
    assert (mine["unpriced_events"], bool(mine["rerate_id"])) == (2, True)
    eventually("both are priced", lambda: newcomer.spent() == (Decimal("0.0018"), 2), every_s=0.5)
    _, told = newcomer.receipt("e1")
    assert told.startswith("corrected: now 0.0009 USD, priced (was 0 USD)")
    assert newcomer.cli("rerates", "show", mine["rerate_id"])["reason"].startswith("proposal ")
