"""Records and points of coding agents, as their makers document them, and what the door makes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from google.protobuf.message import Message
from msgspec.structs import force_setattr

from services.ingest.accept import AcceptedEvents
from services.ingest.credentials import NumberedMaps, Snapshot
from services.ingest.entrances import Entrance, Incoming
from services.ingest.pseudonyms import PREFIX, UserNames
from services.ingest.request_maps import maps_for
from spendmeter.contracts.label_maps import TenantMaps
from tests.ingest.dialects.otlp import START_NS, in_json
from tests.ingest.test_accept import credential, submission

NOW = datetime(2026, 11, 26, 10, 0, 9, tzinfo=UTC)
PROTOBUF = "application/x-protobuf"
SESSION = "0b6f3f2e-6c1f-4b57-9d8e-2a4f0c1d7e55"
REQUEST = "req_011CSHoEeqs5C35K2UUqR7Fy"
CONVERSATION = "019a9775-ef93-7c41-ae1f-a37beed9aaf2"
MOMENT = "2026-11-26T10:00:00.123Z"
CLAUDE_RESOURCE = {"service.name": "claude-code", "service.version": "2.1.289", "host.arch": "arm64"}
GEMINI_RESOURCE = {"service.name": "gemini-cli", "service.version": "0.34.0"}
CODEX_RESOURCE = {"service.name": "codex_exec", "service.version": "0.159.3", "env": "dev"}
PERSON = {
    "user.id": "f3a9c1", "user.email": "Jo@Example.com", "user.account_uuid": "3c9d1f52-0000-4000-8000-5a5a5a5a5a5a",
    "user.account_id": "user_01BWBeN28x", "organization.id": "org-1", "terminal.type": "iTerm.app",
}  # fmt: skip


def api_request(sequence: int = 7, *, at_ns: int = START_NS, **attributes: Any) -> dict[str, Any]:
    """`claude_code.api_request`; an attribute of None is left out."""
    said = {
        "session.id": SESSION, "event.name": "api_request", "event.timestamp": MOMENT, "event.sequence": sequence,
        "prompt.id": "4b1f", "model": "claude-sonnet-4-5-20250929", "cost_usd": 0.0493965, "duration_ms": 4210,
        "input_tokens": 5, "output_tokens": 10, "cache_read_tokens": 128_955, "cache_creation_tokens": 1_253,
        "request_id": REQUEST, "speed": "normal", "query_source": "repl_main_thread", **PERSON,
    } | attributes  # fmt: skip
    return {
        "time_unix_nano": at_ns,
        "observed_time_unix_nano": at_ns,
        "body": {"string_value": "claude_code.api_request"},
        "attributes": {name: value for name, value in said.items() if value is not None},
    }


def sse_event(**attributes: Any) -> dict[str, Any]:
    """`codex.sse_event` of a response that is complete: its record has no time, and counts of it are texts."""
    said = {
        "event.name": "codex.sse_event", "event.kind": "response.completed", "event.timestamp": MOMENT,
        "conversation.id": CONVERSATION, "app.version": "0.159.3", "auth_mode": "Chatgpt", "model": "gpt-5.1",
        "slug": "gpt-5.1", "originator": "codex_exec", "terminal.type": "xterm", "user.email": "Jo@Example.com",
        "user.account_id": "acct-9", "input_token_count": "9000", "output_token_count": "600",
        "cached_token_count": 8192, "reasoning_token_count": 448, "tool_token_count": "9600",
    } | attributes  # fmt: skip
    return {
        "observed_time_unix_nano": START_NS + 5,
        "attributes": {name: value for name, value in said.items() if value is not None},
    }


def api_response(**attributes: Any) -> dict[str, Any]:
    """`gemini_cli.api_response`."""
    said = {
        "event.name": "gemini_cli.api_response", "event.timestamp": MOMENT, "session.id": SESSION,
        "installation.id": "i-1", "user.email": "Jo@Example.com", "model": "gemini-2.5-pro", "duration_ms": 2100,
        "status_code": 200, "prompt_id": "p-1########0", "auth_type": "gemini-api-key", "input_token_count": 12_000,
        "cached_content_token_count": 8_000, "output_token_count": 350, "thoughts_token_count": 420,
        "tool_token_count": 0, "total_token_count": 12_770,
    } | attributes  # fmt: skip
    return {
        "time_unix_nano": START_NS,
        "attributes": {name: value for name, value in said.items() if value is not None},
    }


def of_tenant(maps: dict[str, Any] | None = None, **more: Any) -> Snapshot:
    """The tenant acme, its maps, and a key to pseudonymise its users."""
    by = credential()
    numbered = {"acme": NumberedMaps(number=1, maps=msgspec.convert(maps, TenantMaps))} if maps else {}
    return Snapshot(
        credentials={by.key_id: by},
        pseudonym_keys={("acme", datetime(NOW.year, NOW.month, 1, tzinfo=UTC).date()): b"k" * 32},
        tenants=frozenset({"acme", "globex"}),
        read_at=0,
        maps=numbered,
        **more,
    )


def sent(
    entrance: Entrance,
    request: Message | bytes,
    *,
    maps: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    media_type: str = PROTOBUF,
    dimensions: dict[str, Any] | None = None,
) -> AcceptedEvents:
    """What the door makes of a request, which says the same in both encodings; bytes are of `media_type`."""
    snapshot = of_tenant(maps, dimensions=dimensions or {})
    found = []
    for body, encoding in _encodings(request, media_type):
        users = UserNames(known={}, unsettled={})
        by = submission(snapshot=snapshot, keeps_late=entrance.keeps_late, now=NOW, users=users)
        incoming = Incoming(
            body=body, media_type=encoding, headers=headers or {}, query={}, path={}, url=entrance.path, now=NOW,
            maps=maps_for(by.credential, snapshot),
        )  # fmt: skip
        found.append(entrance.read(incoming, by))
        for (_tenant, _month, keyed), waiting in users.unsettled.items():
            for labels in waiting:
                force_setattr(labels, "user", PREFIX + keyed.hex()[:32])
    first, *others = found
    assert all(list(each.events) == list(first.events) and each.refused == first.refused for each in others)
    return first


def _encodings(request: Message | bytes, media_type: str) -> list[tuple[bytes, str]]:
    if isinstance(request, bytes):
        return [(request, media_type)]
    return [(request.SerializeToString(), PROTOBUF), (in_json(request), "application/json")]
