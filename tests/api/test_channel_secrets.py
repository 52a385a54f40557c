"""Who may change a channel does not learn its secrets by sending them to a receiver of his own."""

from __future__ import annotations

import httpx
import pytest

from tests.api.test_channels import KINDS, SECRETS, added


@pytest.mark.parametrize("kind", ["alertmanager", "pagerduty", "slack"])
async def test_another_address_takes_the_secret_stated_again(acme: httpx.AsyncClient, kind: str) -> None:
    made, secret = await added(acme, kind), SECRETS[kind]
    moved = {"url": "https://thief.example"}
    refused = await acme.patch(f"/v1/channels/{made['id']}", json={"settings": moved})
    assert refused.status_code == 422
    assert f"settings.{secret}" in refused.text
    stated = moved | {secret: KINDS[kind][secret]}
    allowed = await acme.patch(f"/v1/channels/{made['id']}", json={"settings": stated})
    assert allowed.status_code == 200, allowed.text
