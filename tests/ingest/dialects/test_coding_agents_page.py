"""What docs/coding-agents.md tells people to paste works as it stands."""

from __future__ import annotations

import json
import re
import tomllib
from decimal import Decimal
from typing import Any

from services.ingest.dialects.otlp_metrics import ACTIVE, CUMULATIVE, OUTCOMES
from services.ingest.otlp_logs_entrance import OTLP_LOGS
from spendmeter.pricing.catalog import load_own
from spendmeter.pricing.catalog.read import read_prices
from tests.house.sources import ROOT
from tests.ingest.dialects.agents import sent
from tests.ingest.dialects.test_otlp_logs import cost

PAGE = (ROOT / "docs" / "coding-agents.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_request_to_try_is_taken_and_costs_what_the_page_says() -> None:
    settings, _gemini, request = map(json.loads, blocks("json"))
    assert settings["env"]["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] == "delta"
    assert settings["env"]["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    (event,) = sent(OTLP_LOGS, json.dumps(request).encode(), media_type="application/json").events
    assert cost(event) == Decimal("0.04355025")
    assert "0.04355025" in PAGE
    assert event.data.reported_cost.amount == "0.04355025"


def test_codexs_settings_are_toml_with_whole_endpoints_and_the_rate_is_a_price_file() -> None:
    codex, rate = map(_parsed, blocks("toml"))
    for exporter, path in (("exporter", "/v1/logs"), ("metrics_exporter", "/v1/metrics")):
        assert codex["otel"][exporter]["otlp-http"]["endpoint"].endswith(path)
        assert codex["otel"][exporter]["otlp-http"]["headers"]["Authorization"].startswith("Bearer ")
    assert rate["model"][0]["rates"][0]["prices"].keys() == {"active_seconds"}
    named = {(entry.provider, entry.sku) for entry in load_own() if hasattr(entry, "sku")}
    prices = read_prices("rate.toml", blocks("toml")[1].encode())
    assert {(entry.provider, entry.sku) for entry in prices if hasattr(entry, "sku")} <= named


def test_the_page_names_what_is_taken_and_what_mends_a_rejection() -> None:
    assert "claude_code.active_time.total" in PAGE and "claude_code.active_time.total" in ACTIVE
    assert {"commit", "pull_request"} <= set(OUTCOMES.values())
    for word in ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta", "cumulativetodelta"):
        assert word in PAGE and word in CUMULATIVE


def _parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text)
