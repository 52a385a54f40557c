"""Golden examples: each contract's own reader reads each of its examples, and writes it as it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spendmeter import contracts
from spendmeter.contracts import (
    catalog,
    chain,
    corrections,
    event_reading,
    events,
    incidents,
    outcomes,
    rated,
    totals,
)
from spendmeter.contracts.topics import TOPICS

EXAMPLES = sorted(Path(contracts.__path__[0], "examples").glob("*.json"))
CONTRACTS: dict[str, tuple[Any, Any]] = {
    "usage_event": (event_reading.read_event, events.encode_event),
    "rated": (rated.decode_rated, rated.encode_rated),
    "catalog": (catalog.decode_catalog, catalog.encode_catalog),
    "total": (totals.decode_total, totals.encode_total),
    "correction": (corrections.decode_correction, corrections.encode_correction),
    "changed": (totals.decode_changed, totals.encode_changed),
    "outcome": (outcomes.read_outcome, outcomes.encode_outcome),
    "chain": (chain.decode_chain, chain.encode_chain),
    "incident": (incidents.decode_incident, incidents.encode_incident),
}
"""How a contract is read and written, by the first part of its examples' names."""
TYPES = {
    "UsageEvent", "RatedUsage", "RejectedUsage", "PassedHoles", "CatalogEntry", "Publication", "SpendTotal",
    "SpendChanged", "IncidentEvent", "EventCorrection", "RerateRequest", "RerateApply", "RerateCancel",
    "OutcomeEvent", "ChainDay", "ChainPutBack",
}  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_read_by_its_contract_and_written_as_it_stands(example: Path) -> None:
    decode, encode = CONTRACTS[example.name.split(".")[0]]
    written = encode(decode(example.read_bytes()))
    if ".sent." not in example.name:  # as a client sends it: what ingest makes of it is another example
        said, stands = json.loads(written), json.loads(example.read_bytes())
        assert said == {name: stands[name] for name in said}  # a later version's field is read over


def test_every_contract_on_a_topic_has_an_example() -> None:
    named = {name.strip() for topic in TOPICS.values() for name in topic.value.split("|")}
    assert named == TYPES, "a new type on a topic needs an example, and then a line here"
    assert {example.name.split(".")[0] for example in EXAMPLES} == CONTRACTS.keys()
    rated_types = {
        json.loads(example.read_bytes())["type"] for example in EXAMPLES if "rated." in example.name
    }
    assert rated_types == {"spendmeter.rated.v1", "spendmeter.rejected.v1", "spendmeter.passed.v1"}
