"""The gate's newer rules: what each refuses, with what words, and from when on."""

from __future__ import annotations

import json
import tomllib
import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendmeter.contracts import gate, units
from spendmeter.contracts.dialects import disjoint
from spendmeter.contracts.event_identity import content_hash, identity, superseded_identity
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError, UsageEvent
from spendmeter.contracts.foreign_units import (
    FOREIGN_UNITS,
    FOREIGN_UNITS_FROM,
    INSIDE_FROM,
    foreign_unit,
)
from spendmeter.contracts.gate import check_rules, is_plain
from spendmeter.contracts.units import LATER_UNITS, PER_EVENT_MAX, UNITS
from tests.contracts.test_events import SENT

RULES = (FOREIGN_UNITS_FROM, gate.PER_EVENT_MAX_FROM, gate.VISIBLE_TEXT_FROM)
BEFORE = min(RULES) - timedelta(microseconds=1)
E_COMPOSED, E_APART = "caf\u00e9", "cafe\u0301"
"""The same word in Unicode's normal forms C and D."""


def raw(*, usage: dict[str, Any] | None = None, **data: Any) -> bytes:
    said = SENT["data"] | data
    return json.dumps(SENT | {"data": said | ({"usage": usage} if usage else {})}).encode()


def checked(sent: bytes, received_at: datetime | None = None) -> UsageEvent:
    event = read_event(sent)
    check_rules(event, is_plain(sent), received_at)
    return event


def refusal(sent: bytes, received_at: datetime | None = None) -> EventError:
    with pytest.raises(EventError) as caught:
        checked(sent, received_at)
    return caught.value


# -- vendors' names -------------------------------------------------------------------------------------------


def test_openais_usage_is_refused_with_the_units_to_send_instead() -> None:
    error = refusal(raw(usage={"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}))
    assert error.field == "data.usage.prompt_tokens"
    for said in (
        "prompt_tokens is OpenAI's", "send input_tokens, cache_read_tokens, cache_write_5m_tokens",
        "completion_tokens is", "send output_tokens, reasoning_tokens", "total_tokens is", "leave it out",
    ):  # fmt: skip
        assert said in error.reason


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("prompt_tokens", "input_tokens"), ("promptTokens", "input_tokens"), ("cached_tokens", "cache_read_tokens"),
        ("prompt_tokens_details.cached_tokens", "cache_read_tokens"),
        ("cache_creation_input_tokens", "cache_write_5m_tokens"), ("cache_read_input_tokens", "cache_read_tokens"),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h_tokens"),
        ("promptTokenCount", "input_tokens"), ("candidatesTokenCount", "output_tokens"),
        ("usageMetadata.thoughtsTokenCount", "reasoning_tokens"), ("thoughts_token_count", "reasoning_tokens"),
        ("inputTokens", "input_tokens"), ("outputTokens", "output_tokens"),
        ("cacheReadInputTokens", "cache_read_tokens"), ("inputTokenCount", "input_tokens"),
        ("billed_units.search_units", "reranks"), ("meta.billed_units.input_tokens", "input_tokens"),
        ("prompt_audio_seconds", "audio_seconds"), ("pages_processed", "pages"),
        ("gen_ai.usage.input_tokens", "input_tokens"), ("gen_ai.usage.prompt_tokens", "input_tokens"),
        ("gen_ai.usage.cache_read.input_tokens", "cache_read_tokens"),
        ("gen_ai.usage.cache_creation_input_tokens", "cache_write_5m_tokens"),
        ("gen_ai.usage.reasoning.output_tokens", "reasoning_tokens"), ("llm.token_count.prompt", "input_tokens"),
        ("prompt_cache_hit_tokens", "cache_read_tokens"), ("cachedInputTokens", "cache_read_tokens"),
        ("input-tokens", "input_tokens"), ("eval_count", "output_tokens"),
        ("generatedTokenCount", "output_tokens"), ("tokens_evaluated", "input_tokens"),
        ("cacheCreation.ephemeral5mInputTokens", "cache_write_5m_tokens"), ("noCacheTokens", "input_tokens"),
        ("response.usage.output_tokens", "output_tokens"), ("modelUsage.inputTokens", "input_tokens"),
    ],
)  # fmt: skip
def test_a_vendors_name_is_known_however_it_is_spelt(name: str, unit: str) -> None:
    error = refusal(raw(usage={name: 5}))
    assert (error.field, unit in error.reason.partition("send ")[2]) == (f"data.usage.{name}", True)


@pytest.mark.parametrize(
    "name",
    [
        "input_token",
        "output",
        "sparks",
        "tokens",
        "acme.input_tokens",
        "disk_usage.gpu_hours_left",
        "made_up_by_the_sender",
    ],
)
def test_another_unknown_unit_stays_accepted(name: str) -> None:
    assert checked(raw(usage={name: 5})).data.usage == {name: 5}


def test_a_vendors_nested_details_are_refused_with_the_units_and_not_as_no_number() -> None:
    with pytest.raises(EventError) as caught:
        read_event(raw(usage={"prompt_tokens_details": {"cached_tokens": 8}}))
    assert "cache_read_tokens" in caught.value.reason


def test_no_vendors_name_is_a_unit_and_what_to_send_are_units() -> None:
    assert not FOREIGN_UNITS.keys() & UNITS.keys()
    assert {unit for each in FOREIGN_UNITS.values() for unit in each.send} <= UNITS.keys()
    assert all(each.send or each.why for each in FOREIGN_UNITS.values())
    assert not [name for name in UNITS if foreign_unit(name)]


@pytest.mark.parametrize(
    ("dialect", "usage"),
    [
        ("openai", {"prompt_tokens": 9, "completion_tokens": 3}),
        ("gemini", {"promptTokenCount": 9, "candidatesTokenCount": 3}),
        ("bedrock", {"inputTokens": 9, "outputTokens": 3}),
    ],
)
def test_what_a_dialects_reader_takes_as_totals_is_refused_as_units(
    dialect: str, usage: dict[str, int]
) -> None:
    quantities, _ = disjoint(dialect, usage)
    assert quantities == {"input_tokens": 9, "output_tokens": 3}
    for name, unit in zip(usage, quantities, strict=True):
        assert unit in refusal(raw(usage={name: 1})).reason


# -- bounds ---------------------------------------------------------------------------------------------------


def test_a_quantity_above_its_units_bound_is_refused_with_unit_quantity_bound_and_rule() -> None:
    error = refusal(raw(usage={"output_tokens": 2**63 - 1}))
    assert error.field == "data.usage.output_tokens"
    for said in ("9223372036854775807", "output_tokens", "1000000000", "per_event_max"):
        assert said in error.reason


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_every_unit_has_a_bound_and_takes_what_lies_at_it(unit: str) -> None:
    bound = UNITS[unit].per_event_max
    assert 0 < bound < PER_EVENT_MAX
    assert checked(raw(usage={unit: bound})).data.usage[unit] == bound
    assert refusal(raw(usage={unit: bound + 1})).field == f"data.usage.{unit}"


def test_a_fraction_above_the_bound_is_refused_too() -> None:
    assert "1000000.5" in refusal(raw(usage={"gpu_hours": "1000000.5"})).reason


def test_a_unit_that_nobody_knows_has_the_default_bound() -> None:
    assert checked(raw(usage={"sparks": PER_EVENT_MAX}))
    assert str(PER_EVENT_MAX) in refusal(raw(usage={"sparks": PER_EVENT_MAX + 1})).reason


def test_a_registered_unit_states_its_bound_in_the_file() -> None:
    stated = tomllib.loads(Path(units.__file__).with_name("units.toml").read_text("utf-8"))
    assert not [name for name, unit in stated.items() if "per_event_max" not in unit]


# -- text -----------------------------------------------------------------------------------------------------


def test_a_label_in_normal_form_d_is_the_same_label_and_the_same_content() -> None:
    one, other = (checked(raw(labels={"team": team})) for team in (E_COMPOSED, E_APART))
    assert one.data.labels.team == other.data.labels.team == E_COMPOSED
    assert content_hash(one) == content_hash(other)


def test_source_id_and_tenant_stay_as_they_were_sent() -> None:
    sent = json.dumps(SENT | {"source": E_APART, "id": E_APART}).encode()
    assert (checked(sent).source, checked(sent).id) == (E_APART, E_APART)


@pytest.mark.parametrize(
    ("character", "named"),
    [
        ("\u200b", "U+200B (ZERO WIDTH SPACE)"), ("\u200d", "U+200D"), ("\u202e", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("\u2066", "U+2066"), ("\ufeff", "U+FEFF"), ("\u00ad", "U+00AD"), ("\n", "U+000A (a control character)"),
        ("\x7f", "U+007F"), ("\u0085", "U+0085"), ("\u3164", "U+3164"), ("\ufe0f", "U+FE0F"), ("\U000e0041", "U+E0041"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("escaped", [True, False])
def test_a_character_that_cannot_be_seen_is_refused_by_its_code_point(
    character: str, named: str, escaped: bool
) -> None:
    sent = raw(labels={"team": f"pay{character}ments"})
    if not escaped and ord(character) >= 0x20:
        sent = sent.replace(json.dumps(character)[1:-1].encode(), character.encode())
    error = refusal(sent)
    assert error.field == "data.labels.team"
    assert named in error.reason


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("data.sku", {"sku": "gpt\u200b-4o"}), ("data.provider", {"provider": "open\u200bai"}),
        ("data.context.region", {"context": {"region": "e\u200bu"}}),
        ("data.context.service_tier", {"context": {"service_tier": "\u200bflex"}}),
        ("data.usage", {"usage": {"input\u200b_tokens": 5}}), ("data.labels.user", {"labels": {"user": "m\u200baria"}}),
        ("data.outcome.name", {"outcome": {"name": "re\u200bfund"}}),
    ],
)  # fmt: skip
def test_every_name_that_people_read_in_a_list_is_looked_at(field: str, data: dict[str, Any]) -> None:
    assert refusal(raw(**data)).field == field


@pytest.mark.parametrize(
    "label",
    [E_COMPOSED, "\u6771\u4eac", "\u0645\u0627\u0644\u06cc", 'say "hi" \\ there', "a b", "\U0001f600"],
)
def test_what_can_be_seen_is_taken_in_any_script(label: str) -> None:
    assert checked(raw(labels={"team": label})).data.labels.team == label


def test_a_label_that_normal_form_c_makes_too_long_is_refused() -> None:
    grows = "\ufb2c"  # one character, three in form C
    assert len(unicodedata.normalize("NFC", grows)) == 3
    error = refusal(raw(labels={"team": grows * 43}))
    assert (error.field, "129" in error.reason, "128" in error.reason) == ("data.labels.team", True, True)


# -- from when on ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [
    raw(usage={"prompt_tokens": 5}), raw(usage={"input_tokens": 2**63 - 1}),
    raw(labels={"team": "a\u200bb"}), raw(labels={"team": E_APART}),
])  # fmt: skip
def test_what_was_booked_before_a_rule_began_stays_as_it_was(sent: bytes) -> None:
    assert checked(sent, BEFORE) == read_event(sent)


@pytest.mark.parametrize("sent", [
    raw(usage={"prompt_tokens": 5}), raw(usage={"input_tokens": 2**63 - 1}), raw(labels={"team": "a\u200bb"}),
])  # fmt: skip
def test_from_its_first_instant_on_a_rule_holds(sent: bytes) -> None:
    assert refusal(sent, max(RULES)).reason == refusal(sent).reason


@pytest.mark.parametrize(
    ("name", "since"),
    [
        ("prompt_tokens", FOREIGN_UNITS_FROM),
        ("generated_token_count", FOREIGN_UNITS["generated_token_count"].since),
        ("response.usage.output_tokens", INSIDE_FROM),
    ],
)
def test_a_name_that_joined_the_list_later_is_refused_from_then_on_alone(name: str, since: datetime) -> None:
    sent = raw(usage={name: 5})
    assert checked(sent, since - timedelta(microseconds=1)).data.usage == {name: 5}
    assert refusal(sent, since).field == f"data.usage.{name}"


@pytest.mark.parametrize("unit", sorted(LATER_UNITS))
def test_a_unit_that_joined_the_registry_later_rejects_nothing_that_was_booked_as_a_name_of_nobodys(
    unit: str,
) -> None:
    since, too_many = LATER_UNITS[unit], raw(usage={unit: UNITS[unit].per_event_max + 1})
    before = since - timedelta(microseconds=1)
    assert checked(too_many, before).data.usage == {unit: UNITS[unit].per_event_max + 1}
    assert refusal(too_many, since).field == f"data.usage.{unit}"
    elsewhere = raw(usage={f"response.usage.{unit}": 5})
    assert checked(elsewhere, before).data.usage == {f"response.usage.{unit}": 5}
    assert unit in refusal(elsewhere, since).reason


def test_half_of_a_later_unit_that_is_whole_is_refused_from_its_first_instant_on_alone() -> None:
    since, half = LATER_UNITS["web_fetches"], raw(usage={"web_fetches": "0.5"})
    assert checked(half, since - timedelta(microseconds=1)).data.usage == {"web_fetches": Decimal("0.5")}
    assert refusal(half, since).reason == refusal(half).reason == "must be a whole number"
    assert checked(raw(usage={"browser_seconds": "0.5"})).data.usage == {"browser_seconds": Decimal("0.5")}


def test_one_use_that_is_counted_in_two_ways_is_refused_for_it_would_be_charged_twice() -> None:
    both = raw(usage={"searches": 3, "grounded_prompts": 1})
    error = refusal(both, LATER_UNITS["grounded_prompts"])
    assert error.field == "data.usage.grounded_prompts"
    assert "searches" in error.reason
    assert checked(raw(usage={"searches": 3, "maps_grounded_prompts": 1}))


# -- supersedes -----------------------------------------------------------------------------------------------


def naming(**said: Any) -> bytes:
    return json.dumps(SENT | said).encode()


def test_an_event_names_the_submission_whose_place_it_takes_by_id_and_where_it_is_another_by_source() -> None:
    own, other = checked(naming(supersedes="0")), checked(naming(supersedes="1", supersedessource="bots"))
    assert superseded_identity(own) == identity("", "bot", "0")
    assert superseded_identity(other) == identity("", "bots", "1")
    assert superseded_identity(checked(naming())) is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"supersedes": 7}, "supersedes: must be a text of at most 256 characters"),
        ({"supersedes": None}, "supersedes: must be a text"),
        ({"supersedes": "x" * 257}, "supersedes: must be a text"),
        ({"supersedes": "0", "supersedessource": ["bot"]}, "supersedessource: must be a text"),
        ({"supersedessource": "bot"}, "supersedes: is missing"),
        ({"supersedes": "1"}, "supersedes: names the event itself"),
        ({"supersedes": "1", "supersedessource": "bot"}, "supersedes: names the event itself"),
    ],
)
def test_what_names_no_other_submission_is_refused_and_before_the_rule_it_was_read_over(
    said: dict[str, Any], reason: str
) -> None:
    assert str(refusal(naming(**said))).startswith(reason)
    before = gate.SUPERSEDES_FROM - timedelta(microseconds=1)
    old = checked(naming(**said), before)
    assert (superseded_identity(old), content_hash(old)) == (None, content_hash(checked(naming())))


def test_the_content_hash_covers_supersedes_and_stays_what_it_was_where_nothing_is_named() -> None:
    assert content_hash(checked(naming())).hex() == "dda0e1136ed3d16e153aa29d31a9a93a"
    hashes = {
        content_hash(checked(naming(**said))) for said in (
            {}, {"supersedes": "0"}, {"supersedes": "2"}, {"supersedes": "0", "supersedessource": "bots"},
        )
    }  # fmt: skip
    assert len(hashes) == 4
    assert content_hash(checked(naming(supersedes="0", supersedessource="bot"))) in hashes


# -- how it came ----------------------------------------------------------------------------------------------


def test_before_they_were_fields_anything_could_stand_there() -> None:
    sent = raw(estimated={"of": "mine"}, normalised=5, cadence=["odd"])
    event = checked(sent, gate.HOW_IT_CAME_FROM - timedelta(microseconds=1))
    assert (event.data.estimated, event.data.normalised, event.data.cadence) == ((), "stated", "live")
    assert refusal(sent).field == "data.estimated"


@pytest.mark.parametrize(
    "said", [{"estimated": ["input_tokens"]}, {"normalised": "assumed"}, {"cadence": "accrual"}], ids=str
)
def test_what_is_estimated_or_assumed_is_part_of_what_an_event_says(said: dict[str, Any]) -> None:
    usage = {"input_tokens": 5}
    assert content_hash(checked(raw(usage=usage, **said))) != content_hash(checked(raw(usage=usage)))
