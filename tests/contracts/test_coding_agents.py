"""Which agents are tools of developers, and whose seats a licence is."""

from __future__ import annotations

from spendmeter.contracts.coding_agents import CODING_AGENTS, SEATS, tool_of_seat
from spendmeter.contracts.label_maps import AGENT_TOOLS


def test_every_tool_whose_telemetry_is_read_is_known() -> None:
    assert set(AGENT_TOOLS) <= CODING_AGENTS.keys()


def test_a_licence_is_a_tools_by_its_provider_and_sku_whoever_has_the_seat() -> None:
    assert tool_of_seat("github", "copilot-business", SEATS) == "github-copilot"
    assert tool_of_seat("GitHub", "copilot-business:idle", SEATS) == "github-copilot"
    assert tool_of_seat("anthropic", "claude-code-premium", SEATS) == "claude-code"
    assert tool_of_seat("figma", "figma-professional", SEATS) == ""


def test_seats_of_a_chat_for_everybody_are_of_no_tool_until_somebody_says_so() -> None:
    assert tool_of_seat("openai", "chatgpt-business", SEATS) == ""
    assert tool_of_seat("anthropic", "claude-team", SEATS) == ""
    stated = [("anthropic/claude-team*", "claude-code"), *SEATS]
    assert tool_of_seat("anthropic", "claude-team", stated) == "claude-code"


def test_of_several_patterns_the_first_counts() -> None:
    assert tool_of_seat("openai", "chatgpt-business", [("openai/*", "ours"), *SEATS]) == "ours"
