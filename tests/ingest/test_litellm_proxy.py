"""LiteLLM's proxy before the vendors, its log pointed at a running door.

Its own requirements are not compatible with those of this project's tests, so it is looked for elsewhere:

    python -m venv /tmp/litellm && /tmp/litellm/bin/pip install 'litellm[proxy]'
    SPENDMETER_LITELLM=/tmp/litellm/bin/litellm make test ARGS=tests/ingest/test_litellm_proxy.py
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ingest.dialects.litellm_gateway import OPENAI_ID, SECRETS, vendors
from tests.ingest.harness import Ingest, records_of
from tests.ports import free_port
from tests.waiting import until

PROXY = os.environ.get("SPENDMETER_LITELLM", "")
pytestmark = pytest.mark.skipif(not PROXY, reason="no proxy of LiteLLM: SPENDMETER_LITELLM names none")

CONFIG = """
model_list:
  - model_name: fast
    litellm_params: { model: openai/gpt-4o-mini, api_base: os.environ/VENDORS_V1, api_key: sk-x }
  - model_name: claude
    litellm_params: { model: anthropic/claude-sonnet-4-5, api_base: os.environ/VENDORS, api_key: sk-a }
  - model_name: my-azure
    litellm_params: { model: azure/prod-eu, api_base: os.environ/VENDORS, api_key: k, api_version: "2024-06-01" }
    model_info: { base_model: azure/gpt-4o-mini }
litellm_settings:
  callbacks: ["spendmeter"]
  cache: true
  cache_params: { type: local }
callback_settings:
  spendmeter:
    callback_type: generic_api
    endpoint: os.environ/SPENDMETER_URL
    headers: { Authorization: "Bearer %s" }
    max_retries: 5
general_settings: { master_key: sk-master }
"""
HEADERS = {
    "Authorization": "Bearer sk-master", "x-litellm-tags": "team:proxied,feature:answers",
    "x-litellm-session-id": "session-9",
}  # fmt: skip


async def test_what_goes_through_the_proxy_is_metered_by_vendor_and_model(
    door: Ingest, tmp_path: Path
) -> None:
    config = tmp_path / "litellm.yaml"
    config.write_text(CONFIG % door.keys["acme"])
    port = free_port()
    with vendors() as stand_in, (tmp_path / "proxy.log").open("wb") as log:
        settings = {
            "VENDORS": stand_in.url, "VENDORS_V1": stand_in.url + "/v1", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "SPENDMETER_URL": door.url + "/api/v1/litellm",
        }  # fmt: skip
        proxy = subprocess.Popen(
            [PROXY, "--config", str(config), "--port", str(port), "--host", "127.0.0.1"],
            env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            await until(lambda: _alive(url), "the proxy to start")
            for model in ("fast", "claude", "my-azure", "fast"):
                asked = {
                    "model": model,
                    "messages": [{"role": "user", "content": "SECRETPROMPT"}],
                    "user": "end-1",
                }
                sent = httpx.post(f"{url}/v1/chat/completions", headers=HEADERS, json=asked, timeout=60)
                assert sent.status_code == 200, sent.text
            found = await until(lambda: _of_team(door, 3), "three calls to be metered")
        finally:
            proxy.terminate()
            proxy.wait(30)
    assert {(said["data"]["provider"], said["data"]["sku"]): said["data"]["usage"] for said in found} == {
        ("openai", "gpt-4o-mini"): (usage := {
            "input_tokens": 176, "cache_read_tokens": 1024, "output_tokens": 30, "reasoning_tokens": 20,
        }),
        ("azure", "gpt-4o-mini"): usage,
        ("anthropic", "claude-sonnet-4-5"): {
            "input_tokens": 5, "cache_read_tokens": 128955, "cache_write_5m_tokens": 1000,
            "cache_write_1h_tokens": 253, "output_tokens": 10,
        },
    }  # fmt: skip
    assert {said["data"]["labels"]["run"] for said in found} == {"session-9"}
    assert OPENAI_ID in {said["id"] for said in found}
    written = json.dumps(found)
    assert not any(secret in written for secret in (*SECRETS, "end-1"))


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/liveliness", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


async def _of_team(door: Ingest, count: int) -> list[dict[str, Any]]:
    said = [json.loads(record.value) for record in await records_of(door.kafka, door.topic)]
    found = [each for each in said if each["data"].get("labels", {}).get("team") == "proxied"]
    return found if len(found) >= count else []
