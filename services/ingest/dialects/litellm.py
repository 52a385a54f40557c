"""LiteLLM's own account of its calls, as its generic API callback posts it: one, an array, or lines. Pure.

LiteLLM counts in OpenAI's dialect whoever served: its prompt holds what was read from caches and written to
them, its completion the reasoning. What its gateway answers from its own cache costs nothing at the vendor
and is no event; neither is a call that failed before it used anything, nor a read of an earlier answer.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from services.ingest.dialects.call_ids import call_identity, is_id, vendor_name
from services.ingest.dialects.elements import elements_of
from services.ingest.dialects.litellm_payload import KeyAndCaller, Payload, answer_of, decode_payload, painted
from services.ingest.dialects.stated import Unusable, cost_of, text_of
from services.ingest.dialects.translated import ASSUMED, SaidEvent, Translated, short_id, usage_event
from spendmeter.contracts.dialect_parts import DialectError, UsedQuantity, measure, part
from spendmeter.contracts.dialects import Normalised, disjoint
from spendmeter.contracts.dimensions import trouble_with_label
from spendmeter.contracts.events import LABELS, NAME_CHARACTERS_MAX, broken_rule
from spendmeter.contracts.meters import maker_of
from spendmeter.contracts.tool_fees import tool_fees

SOURCE = "litellm-proxy"
"""Of calls whose id is nobody else's; LiteLLM's callback for OpenMeter calls itself so too."""
GATEWAY = "litellm"
"""Who served, where it has a cost and does not say."""
PAYLOADS_MAX = 5_000
"""A LiteLLM under load sends what gathered while it sent before, more than its batch size of 512."""

FROM_CACHE = "answered from the gateway's own cache"
FAILED = "failed without usage"
A_READ = "a read of an earlier answer"
NO_USAGE = "no usage and no cost"
NO_PAYLOAD = "no payload"
ONE_REQUEST = "a cost without quantities, counted as one request"

_CACHED = re.compile(r"_cache_hit[0-9.]+$")
"""How the id of a call ends that its cache answered: LiteLLM makes it another one than the call's own."""
_LABEL_TAG = re.compile(r"([^:=]{1,64})[:=](.+)", re.DOTALL)
_NO_USAGE_OF = ("embedding", "rerank")
"""Calls that have no output, of which LiteLLM says that it was 0."""


class _Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    no_inference: frozenset[str]
    images: frozenset[str]
    routes: frozenset[str]
    tools: frozenset[str]
    tokens: frozenset[str]
    counted: dict[str, str]
    dialects: dict[str, str]
    providers: dict[str, str]


_RULES = msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=_Rules)


def translate_litellm(body: bytes, labels: Mapping[str, str] | None = None) -> Translated:
    """The calls of a request. `labels` are what the request says beside its body: a payload's own win.
    Raises RequestRefused for a body that is neither JSON nor lines of it."""
    found = Translated()
    for index, element in enumerate(elements_of(body, PAYLOADS_MAX)):
        try:
            _read(index, element, labels or {}, found)
        except Unusable as error:
            found.refuse(index, error.reason, error.field)
        except DialectError as error:
            found.refuse(index, str(error), "metadata.usage_object")
    return found


def provider_of(name: str) -> str:
    """Ours of a provider's name in LiteLLM."""
    return _RULES.providers.get(name) or vendor_name(name)


def _read(index: int, element: bytes | Raw, labels: Mapping[str, str], found: Translated) -> None:
    payload = _decoded(element)
    if payload is None:
        found.skipped[NO_PAYLOAD] += 1
    elif payload.cache_hit is True or _CACHED.search(text_of(payload.id)):
        found.skipped[FROM_CACHE] += 1
    elif isinstance(said := _event(payload, labels, found), str):
        found.skipped[said] += 1
    else:
        found.take(index, said)


def _decoded(element: bytes | Raw) -> Payload | None:
    try:
        return decode_payload(element)
    except msgspec.ValidationError as error:
        raise Unusable(
            broken_rule(error).field,
            "is not what LiteLLM's standard payload has there (generic_api_use_v1 must be off)",
        ) from None
    except InvalidOperation:
        raise Unusable("", "holds a number out of range") from None
    except RecursionError:
        raise Unusable("", "is nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unusable("", "is not JSON") from None


def _event(payload: Payload, labels: Mapping[str, str], found: Translated) -> SaidEvent | str:
    """The event of a call, or why it is none."""
    kind = text_of(payload.call_type)
    cost, failed = cost_of(payload.response_cost, "response_cost"), payload.status == "failure"
    if cost is None and not _RULES.no_inference.isdisjoint((kind, kind.removeprefix("a"))):
        return A_READ
    metadata = payload.metadata or KeyAndCaller()
    answer = answer_of(payload)
    usage = _usage(payload, metadata, answer)
    provider, sku, cost_class = _served(payload, metadata, kind in _RULES.tools)
    if cost_class == "tool":
        quantities, normalised = _counted(tool_calls=1)
    else:
        quantities, normalised = _quantities(provider, usage, answer, payload)
        if kind.endswith(_NO_USAGE_OF):
            quantities = {unit: quantity for unit, quantity in quantities.items() if unit != "output_tokens"}
        if not failed and kind.removeprefix("a") in _RULES.images:
            quantities, sku = _images(quantities, sku, payload)
    if not any(quantities.values()):
        if cost is None:
            return FAILED if failed else NO_USAGE
        quantities, normalised = _counted(requests=1)
        found.noted[ONE_REQUEST] += 1
    elif normalised == "assumed":
        found.noted[ASSUMED] += 1
    if cost is not None:  # of an endpoint with a price of its own, or a search: neither has a model
        provider, sku = provider or maker_of(sku) or GATEWAY, sku or kind
    if not provider or not sku:
        raise Unusable("model" if provider else "custom_llm_provider", "is missing")
    source, call_id = _identity(payload, provider)
    return usage_event(
        id=call_id,
        source=source,
        subject=text_of(metadata.user_api_key_alias)[:NAME_CHARACTERS_MAX] or SOURCE,
        time=_started(payload.startTime),
        provider=provider,
        sku=sku,
        cost_class=cost_class,
        usage=quantities,
        normalised=normalised,
        context=_context(payload, usage, answer, kind),
        labels={**labels, **_labels(payload, metadata, found)},
        performance=_performance(payload, failed),
        reported_cost=cost,
    )


def _usage(payload: Payload, metadata: KeyAndCaller, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    for stated in (metadata.usage_object, answer.get("usage")):
        if isinstance(stated, Mapping) and stated:
            return stated
    counts = {"prompt_tokens": payload.prompt_tokens, "completion_tokens": payload.completion_tokens}
    return {name: count for name, count in counts.items() if count is not None}


def _served(payload: Payload, metadata: KeyAndCaller, is_tool: bool) -> tuple[str, str, str]:
    """Provider, sku and cost class; '' where it is not said."""
    tool = metadata.mcp_tool_call_metadata
    if is_tool and isinstance(tool, Mapping):
        return text_of(tool.get("mcp_server_name")) or "mcp", text_of(tool.get("name")), "tool"
    return provider_of(text_of(payload.custom_llm_provider)), _model(payload), "model"


def _model(payload: Payload) -> str:
    """The model's name, without its provider, which LiteLLM's proxy writes before it. A deployment at Azure
    has a name of its own: where LiteLLM knows whose price it has, that model is meant."""
    provider, name = text_of(payload.custom_llm_provider), text_of(payload.model)
    priced = payload.model_map_information
    if provider.startswith("azure") and priced and bytes(priced.model_map_value) != b"null":
        name = text_of(priced.model_map_key) or name
    name = name.removeprefix(f"{provider}/")
    route, _, rest = name.partition("/")
    return rest if rest and route in _RULES.routes else name


def _counted(**quantities: UsedQuantity) -> tuple[dict[str, UsedQuantity], Normalised]:
    """What is there by there being a call."""
    return quantities, "stated"


def _quantities(
    provider: str, usage: Mapping[str, Any], answer: Mapping[str, Any], payload: Payload
) -> tuple[dict[str, UsedQuantity], Normalised]:
    """Disjoint, with the fees of tools. Raises DialectError."""
    reranked = _at(answer, "meta", "billed_units", "search_units")
    if reranked:
        return _counted(reranks=reranked)
    if not any(usage.get(name) for name in _RULES.tokens):
        counted = {unit: measure(usage, name) for unit, name in _RULES.counted.items()}
        if any(counted.values()) or not any(usage.values()):
            return {unit: quantity for unit, quantity in counted.items() if quantity}, "stated"
    quantities, normalised = disjoint(_RULES.dialects.get(provider, "openai"), usage)
    inside, within = _table(usage, "prompt_tokens_details"), _table(usage, "completion_tokens_details")
    written = _table(inside, "cache_creation_token_details")
    _move(quantities, "cache_write_5m_tokens", "cache_write_1h_tokens", written, "ephemeral_1h_input_tokens")
    if "cache_write_12h_tokens" not in quantities:
        name = "ephemeral_12h_input_tokens"
        _move(quantities, "cache_write_5m_tokens", "cache_write_12h_tokens", written, name)
    _move(quantities, "output_tokens", "output_video_tokens", within, "video_tokens")
    fees = {
        "searches": part(inside, "web_search_requests")
        or _at(usage, "server_tool_use", "web_search_requests"),
        "maps_grounded_prompts": min(1, part(inside, "google_maps_grounding_requests")),
    }
    if provider in ("openai", "azure"):
        tools = payload.standard_built_in_tools_params
        asked = {"web_search_options": tools.web_search_options} if tools else {}
        fees |= tool_fees("openai", answer, asked)
    elif "searches" in quantities:
        del fees["searches"]
    return quantities | {unit: quantity for unit, quantity in fees.items() if quantity}, normalised


def _images(
    quantities: dict[str, UsedQuantity], sku: str, payload: Payload
) -> tuple[dict[str, UsedQuantity], str]:
    """Of a call for images: what it put out is images, where no part of it is said to be; of one without
    tokens each image has the price of its quality and size."""
    if "images" in quantities or not any(quantities.values()):
        made = painted(payload)
        return {"images": quantities.get("images") or made.count}, "/".join(filter(None, (sku, made.variant)))
    if "output_image_tokens" not in quantities:
        quantities["output_image_tokens"] = quantities.pop("output_tokens", 0)
    return quantities, sku


def _move(
    quantities: dict[str, UsedQuantity], whole: str, share: str, stated: Mapping[str, Any], name: str
) -> None:
    """Take what is stated as a share of a quantity out of it, into its own unit."""
    if quantity := part(stated, name):
        quantities[share] = quantity
        quantities[whole] = quantities.get(whole, 0) - quantity
        if quantities[whole] < 0:
            raise DialectError(f"{name} is more than the {whole} that it is part of")


def _context(
    payload: Payload, usage: Mapping[str, Any], answer: Mapping[str, Any], kind: str
) -> dict[str, Any]:
    served = payload.cost_breakdown
    tiers = (served and served.service_tier, usage.get("service_tier"), answer.get("service_tier"))
    places = (served and served.data_residency, usage.get("inference_geo"), served and served.vertex_location)
    fast = "fast" if usage.get("speed") == "fast" else ""
    stated = {
        "service_tier": fast or _first(*tiers),
        "region": _first(*places),
        "batch": kind.endswith("batch"),
    }
    return {name: value for name, value in stated.items() if value}


def _labels(payload: Payload, metadata: KeyAndCaller, found: Translated) -> dict[str, str]:
    """Whose call it was: by the key it came with, then by what the caller says of it. What no label can hold
    goes before nothing."""
    asked = metadata.requester_metadata if isinstance(metadata.requester_metadata, Mapping) else {}
    of_key = {
        "team": _first(metadata.user_api_key_team_alias, metadata.team_alias, metadata.user_api_key_team_id)
        or text_of(metadata.team_id),
        "project": _first(metadata.user_api_key_project_alias, metadata.user_api_key_project_id),
        "agent": text_of(metadata.user_api_key_alias),
        "run": _first(payload.session_id, asked.get("session_id")),
        "user": _first(payload.end_user, metadata.user_api_key_end_user_id, metadata.user_api_key_user_id),
    }
    of_caller = (
        {name: text_of(stated.get(name)) for name in LABELS}
        for stated in (asked, metadata.spend_logs_metadata)
        if isinstance(stated, Mapping)
    )
    labels: dict[str, str] = {}
    for stated in (of_key, *of_caller, dict(_tagged(payload.request_tags))):
        labels |= found.fitting({name: value for name, value in stated.items() if value})
    return labels


def _tagged(tags: object) -> Iterator[tuple[str, str]]:
    """Labels in tags: `feature:answers`, `feature=answers`. Other tags name nothing."""
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str) and (pair := _LABEL_TAG.fullmatch(tag)):
            name, value = pair[1].strip(), pair[2].strip()
            if name in LABELS or not trouble_with_label(name):
                yield name, value


def _performance(payload: Payload, failed: bool) -> dict[str, Any]:
    stated: dict[str, Any] = {"status": "error" if failed else "ok"}
    took = payload.response_time
    if isinstance(took, int | Decimal) and not isinstance(took, bool) and 0 <= took < 1_000_000:
        stated["latency_ms"] = int(took * 1000)
    return stated


def _identity(payload: Payload, provider: str) -> tuple[str, str]:
    call_id = next(filter(is_id, map(text_of, (payload.id, payload.litellm_call_id))), "")
    if not call_id:
        raise Unusable("id", "is missing")
    return call_identity(provider, call_id) or (SOURCE, short_id(call_id))


def _started(seconds: object) -> datetime | None:
    """When the call began; None = it does not say."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | Decimal) or not seconds:
        return None
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (OverflowError, OSError, ValueError):
        raise Unusable("startTime", "must be seconds since 1970") from None


def _first(*said: object) -> str:
    return next(filter(None, map(text_of, said)), "")


def _table(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    return found if isinstance(found, Mapping) else {}


def _at(said: Mapping[str, Any], *path: str) -> int:
    *tables, name = path
    for table in tables:
        said = _table(said, table)
    return part(said, name)
