"""Whose id of a response is the call's own at every door, and whose is not."""

from __future__ import annotations

from uuid import NAMESPACE_DNS, uuid4, uuid5

import pytest
from litellm.responses.utils import ResponsesAPIRequestUtils

from services.ingest.dialects.call_ids import BITS_MIN, CALL_IDS, call_identity, vendor_name

LIKE = [(pattern, like) for pattern in CALL_IDS.pattern for like in pattern.like]


@pytest.mark.parametrize(("pattern", "id"), LIKE, ids=[like for _, like in LIKE])
def test_every_id_that_the_data_names_is_found_by_its_own_pattern(pattern: object, id: str) -> None:
    found = next(each for each in CALL_IDS.pattern if each is pattern)
    provider = found.of[0] if found.of else "mistral"
    assert call_identity(provider, id) == (f"call:{found.call or 'mistral'}", id)


def test_each_pattern_has_the_bits_that_make_a_repeat_impossible() -> None:
    assert [pattern.id for pattern in CALL_IDS.pattern if pattern.bits < BITS_MIN] == []


@pytest.mark.parametrize(
    "id",
    [
        "", "null", "None", "undefined", "213", "chatcmpl-213", "chatcmpl-123", "chatcmpl-abc123", "resp_001", "msg_1",
        "chatcmpl-00000000000000000000000000213",  # a counter, filled up
        "00000000-0000-4000-8000-000000000213",
        "resp_00000000000000000000000000000213",
        "gen-1734028800-1",
        "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\n",
        "xchatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "cad62aee-e9d1-11f1-a7da-02fc00000001",  # a time and a machine
        str(uuid5(NAMESPACE_DNS, "example.com")),  # whatever it was made of
    ],
)  # fmt: skip
@pytest.mark.parametrize("provider", ["openai", "ollama", ""])
def test_an_id_that_another_call_may_have_is_no_identity(provider: str, id: str) -> None:
    assert call_identity(provider, id) is None


def test_a_call_is_one_whatever_its_reporters_call_the_provider() -> None:
    """Azure's calls come from OpenAI's client, Bedrock's Claude answers with an id of Anthropic's."""
    gpt = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
    assert {call_identity(name, gpt) for name in ("openai", "azure", "az.ai.openai")} == {
        ("call:openai", gpt)
    }
    claude = "msg_bdrk_01KzeXTbGC2QoqmZNvm2qKLH"
    assert {call_identity(name, claude) for name in ("aws.bedrock", "anthropic")} == {
        ("call:anthropic", claude)
    }
    uuid = str(uuid4())
    assert {call_identity(name, uuid) for name in ("xai", "x_ai", "x-ai")} == {("call:x-ai", uuid)}


def test_a_shape_that_only_one_vendor_is_known_for_counts_under_its_names_alone() -> None:
    gemini = "fJQtaKSLHYq7vdIP_8T_uAw"
    assert {call_identity(name, gemini) for name in ("gemini", "gcp.vertex_ai", "google")} == {
        ("call:google", gemini)
    }
    assert call_identity("openai", gemini) is None


def test_googles_ids_hold_the_microsecond_and_64_bits_more() -> None:
    """Why they count though not all of their bits are random: 20 + 32 + 32, after the second."""
    (google,) = [pattern for pattern in CALL_IDS.pattern if pattern.call == "google"]
    assert google.bits == 20 + 32 + 32


@pytest.mark.parametrize("vendor", ["openai", "azure"])
def test_the_id_that_a_gateway_gives_its_clients_holds_the_vendors(vendor: str) -> None:
    """As the installed LiteLLM packs it, for its responses API."""
    own = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"
    packed = ResponsesAPIRequestUtils._build_responses_api_response_id(vendor, "model-1", own)
    assert call_identity("openai", packed) == ("call:openai", own)
    assert call_identity("litellm", packed) == ("call:openai", own)
    counted = ResponsesAPIRequestUtils._build_responses_api_response_id(vendor, None, "resp_213")
    assert call_identity("openai", counted) is None


def test_random_ids_are_never_taken_for_counters() -> None:
    for _ in range(10_000):
        assert call_identity("mistral", str(uuid4())) is not None
        assert call_identity("mistral", uuid4().hex) is not None


def test_no_name_of_a_provider_belongs_to_two() -> None:
    names = [other for others in CALL_IDS.names.values() for other in others]
    assert len(names) == len(set(names))
    assert not set(names) & set(CALL_IDS.names)
    assert vendor_name(" Gemini ") == "google"
    assert vendor_name("Cerebras") == "cerebras"
