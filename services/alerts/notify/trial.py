"""The message of a test: it looks like any other, and says that it is none. Pure."""

from datetime import datetime

import msgspec

from spendmeter.contracts.incidents import Figure, IncidentEvent, TopContributor

RULE = "test"


def trial_event(tenant: str, id: str, at: datetime, portal_url: str) -> IncidentEvent:
    """What is sent to a channel to see whether it arrives; `id` takes an incident's place."""
    return IncidentEvent(
        incident_id=id, tenant=tenant, transition="opened", state="open", kind="silence", rule=RULE,
        rule_name="Test message", rule_revision=1, severity="info", scope={}, at=at, began_at=at,
        currency="messages", amount="1", expected="1", rate_per_hour="0", expected_per_hour="0",
        of_which_provisional="0", top_contributor=TopContributor(),
        title="Test message of Spendmeter: this channel works",
        summary="Somebody pressed the test button of this channel. Nothing is wrong with any spend.",
        suggested_action="Nothing is to be done.",
        figures=[Figure(label="messages", amount="1", unit="messages", text="1, a test")],
        link=f"{portal_url.rstrip('/')}/#/channels" if portal_url else "",
        details={"test": True},
    )  # fmt: skip


def trial_over(event: IncidentEvent, at: datetime) -> IncidentEvent:
    """Its end, for receivers that would show it as open."""
    return msgspec.structs.replace(
        event, transition="resolved", state="resolved", at=at, number=1, resolution="it was a test",
        title="Over: test message of Spendmeter",
    )  # fmt: skip
