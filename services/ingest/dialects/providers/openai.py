"""Answers in OpenAI's protocol: chat, responses, embeddings, audio, images, realtime and live. Pure.

Azure, Mistral, xAI, OpenRouter, DeepSeek, Perplexity, Groq and many others answer in it too, with fields of
their own between. `sides` are what the models of hosted tools used, at their own prices.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Raw

from services.ingest.dialects.providers.answer import Answer
from services.ingest.dialects.providers.piece import CallPiece, SideCall
from spendmeter.contracts.dialect_parts import snake
from spendmeter.contracts.tool_fees import tool_fees

IMAGE_MODEL = "gpt-image-1"
"""Of the image tool, where its declaration names none."""
_TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
_CLOSED = ("completed", "incomplete", "failed", "cancelled")
"""States of a response after which it uses nothing more."""
_CLOSED_LIVE = "session.closed"
_LIVE = ("session.started", "session.usage.updated", _CLOSED_LIVE)
"""Of a live session, which costs by the second: each says how many it were so far."""
_AUDIO_DONE = "speech.audio.done"
_SOUND = Raw(b'"."')
"""For a piece of audio, whose bytes say nothing of tokens: one token at least."""
_DONE = (_AUDIO_DONE, "transcript.text.done", "image_generation.completed", "image_edit.completed")


def read(answer: Answer) -> Iterator[CallPiece]:
    """The pieces that one object states: an answer, an event of a stream, or a usage object alone."""
    kind = answer.text("type")
    if kind == _TRANSCRIBED:
        yield _transcribed(answer)
    elif kind in _LIVE:
        yield _live(answer, closed=kind == _CLOSED_LIVE)
    elif kind == "response.event" and (event := answer.inner("event")) is not None:
        yield from read(event)  # of a response that a live session delegated to
    elif answer.has("session"):
        yield from _session(answer)
    elif (response := answer.inner("response")) is not None:
        yield _response(response, stream=True)  # an event of the responses API or of a realtime session
    elif answer.has("choices"):
        yield _chat(answer)
    elif answer.has("output") or answer.text("object") == "response":
        yield _response(answer, stream=False)
    elif kind and "." in kind:
        yield from _typed(answer, kind)
    elif answer.has("error") and not answer.has("usage"):
        yield CallPiece(failed=True)
    else:
        yield _plain(answer)


def _chat(answer: Answer) -> CallPiece:
    """A chat completion, a text completion, or a chunk of one."""
    choices = answer.each("choices")
    groq = answer.inner("x_groq")
    usage = answer.usage("usage") or (groq.usage("usage") if groq else None) or _of_choice(choices)
    kind = answer.text("object")
    stream = kind.endswith(".chunk") or any(choice.has("delta") for choice in choices) or not choices
    stream |= kind == "text_completion" and usage is None  # whose chunks look like the whole
    finished = any(choice.has("finish_reason") for choice in choices)
    named = answer.text("model")
    sides = _breakdown(answer)
    return CallPiece(
        id=answer.text("id"),
        model=sides[0].model if sides else named,
        time=answer.number("created"),
        tier=answer.text("service_tier") or _text(usage, "service_tier"),
        usage=sides[0].usage if sides else usage,
        sides=tuple(sides[1:]),
        stream=stream,
        content=tuple(_chat_content(choices)) if stream else (),
        ends=finished or (usage is not None and not choices) or not stream,
        failed=answer.has("error") and usage is None,
    )


def _of_choice(choices: list[Answer]) -> dict[str, Any] | None:
    """Moonshot's streams state their usage inside the last choice."""
    return next((usage for choice in choices if (usage := choice.usage("usage"))), None)


def _chat_content(choices: list[Answer]) -> Iterator[Raw]:
    for choice in choices:
        delta = choice.inner("delta")
        if delta is None:
            yield from _content(choice, "text")
            continue
        yield from _content(delta, "content", "reasoning_content", "reasoning", "refusal")
        for call in delta.each("tool_calls"):
            function = call.inner("function")
            yield from _content(function, "arguments") if function else ()


def _content(answer: Answer, *names: str) -> Iterator[Raw]:
    for name in names:
        if (found := answer.raw(name)) is not None:
            yield found


def _breakdown(answer: Answer) -> list[SideCall]:
    """Groq's compound systems: usage by the models that they asked."""
    found = answer.inner("usage_breakdown")
    return [
        SideCall(
            name=f"model-{place}", model=each.text("model"), dialect="openai", usage=each.usage("usage") or {}
        )
        for place, each in enumerate(found.each("models") if found else [])
    ]


def _response(response: Answer, *, stream: bool) -> CallPiece:
    usage, tools = response.usage("usage"), response.inner("tool_usage")
    status = response.text("status")
    return CallPiece(
        id=response.text("id"),
        model=response.text("model"),
        time=response.number("created_at"),
        tier=response.text("service_tier") or _text(usage, "service_tier"),
        usage=usage,
        fees=_fees(response, tools),
        sides=tuple(_painted(response, tools)),
        stream=stream,
        ends=usage is not None or status in _CLOSED if stream else True,
        failed=usage is None and (status in ("failed", "cancelled") or response.has("error")),
    )


def _fees(response: Answer, tools: Answer | None) -> Mapping[str, int]:
    """What hosted tools cost by the use; of searches what is billable, where the answer says it."""
    items = [
        {
            "type": item.text("type"),
            "action": {"type": action.text("type")} if (action := item.inner("action")) else {},
            "container_id": item.text("container_id"),
        }
        for item in response.each("output")
    ]
    declared = [_declared(tool) for tool in response.each("tools")]
    fees = tool_fees("openai", {"output": items, "tools": declared})
    searched = tools.inner("web_search") if tools else None
    billed = searched.number("num_requests") if searched else None
    if billed is None:
        return fees
    unit = next((unit for unit in fees if unit.endswith("searches") and unit != "file_searches"), "searches")
    return {**fees, unit: int(billed)}


def _declared(tool: Answer) -> dict[str, str]:
    said = {"type": tool.text("type"), "search_context_size": tool.text("search_context_size")}
    return {name: text for name, text in said.items() if text}


def _painted(response: Answer, tools: Answer | None) -> Iterator[SideCall]:
    """What the image tool used, which the usage of the model that called it leaves out."""
    usage = tools.usage("image_gen") if tools else None
    if not usage or not (usage.get("input_tokens") or usage.get("output_tokens")):
        return
    painters = [
        tool.text("model") for tool in response.each("tools") if tool.text("type") == "image_generation"
    ]
    yield SideCall(
        name="image_generation",
        model=next(filter(None, painters), IMAGE_MODEL),
        dialect="openai",
        usage=_of_images(usage),
    )


def _of_images(usage: dict[str, Any]) -> dict[str, Any]:
    """An image model's usage: what it makes is images, where it does not say otherwise; what it read from its
    cache lies beside the details of its input."""
    inside = snake(usage.get("input_tokens_details"))
    if usage.get("cached_tokens"):
        kinds = snake(usage.get("cached_tokens_details"))
        inside["cached_tokens"] = usage["cached_tokens"]
        inside["cached_tokens_details"] = {"image_tokens": kinds.get("cached_image_tokens")}
    made = usage.get("output_tokens_details") or {"image_tokens": usage.get("output_tokens")}
    return usage | {"input_tokens_details": inside, "output_tokens_details": made}


def _session(answer: Answer) -> Iterator[CallPiece]:
    """A realtime session: its model is that of the responses that follow."""
    session = answer.inner("session")
    if session is not None and (model := session.text("model")):
        yield CallPiece(model_later=model, stream=True)


def _live(answer: Answer, *, closed: bool) -> CallPiece:
    """A live session, so far; the responses that it delegates to are calls of their own."""
    session = answer.inner("session")
    return CallPiece(
        key="live",
        id=session.text("id") if session else "",
        model=session.text("model") if session else "",
        usage=answer.usage("usage"),
        stream=True,
        ends=closed,
    )


def _transcribed(answer: Answer) -> CallPiece:
    """What was heard in a realtime session, by a model of its own."""
    return CallPiece(
        id=answer.text("item_id"), usage=answer.usage("usage"), stream=True, ends=True, heard=True
    )


def _typed(answer: Answer, kind: str) -> Iterator[CallPiece]:
    """An event of a stream that holds no response: a piece of text, or the end of audio or of an image."""
    usage = answer.usage("usage")
    if kind == _AUDIO_DONE and usage:
        usage = usage | {"output_tokens_details": {"audio_tokens": usage.get("output_tokens")}}
    elif kind.startswith("image_") and usage:
        usage = _of_images(usage)
    if kind.endswith("audio.delta"):
        yield CallPiece(stream=True, content=(_SOUND,))
    elif kind.endswith(".delta"):
        yield CallPiece(stream=True, content=tuple(_content(answer, "delta")))
    elif usage is not None or kind in _DONE:
        yield CallPiece(
            model=answer.text("model"),
            usage=usage,
            stream=True,
            ends=True,
            time=answer.number("created_at"),
        )


def _plain(answer: Answer) -> CallPiece:
    """Embeddings, images, transcriptions, pages read, or a usage object alone."""
    variant = ""
    usage, svg = answer.usage("usage", "usage_info"), answer.usage("svg_usage")
    if usage is None and (seconds := answer.number("duration")) is not None:
        usage = {"seconds": seconds}
    if images := [each for each in answer.each("data") if each.has("b64_json", "url")]:
        if usage and ("input_tokens" in usage or "output_tokens" in usage):
            usage = _of_images(usage)
        else:
            variant = "/".join(filter(None, (answer.text("quality"), answer.text("size"))))
            usage = (usage or {}) | {"images": len(images)}
    return CallPiece(
        id=answer.text("id"),
        model=answer.text("model"),
        variant=variant,
        time=answer.number("created", "created_at"),
        tier=answer.text("service_tier") or _text(usage, "service_tier"),
        usage=_annotated(answer, usage),
        batch=answer.text("object") == "batch",
        sides=() if svg is None else (_drawn(svg),),
        ends=True,
    )


def _drawn(usage: dict[str, Any]) -> SideCall:
    """What the model used that wrote a drawing, which the usage of the image leaves out."""
    made = {"output_tokens_details": {"reasoning_tokens": usage.get("reasoning_tokens")}}
    return SideCall(name="svg", model=_text(usage, "model"), dialect="openai", usage=usage | made)


def _annotated(answer: Answer, usage: dict[str, Any] | None) -> dict[str, Any] | None:
    """Mistral's pages cost more where it was asked to annotate them."""
    if usage and "pages_processed" in usage and answer.has("document_annotation"):
        return {"annotated_pages": usage["pages_processed"]}
    return usage


def _text(usage: Mapping[str, Any] | None, name: str) -> str:
    said = (usage or {}).get(name)
    return said if isinstance(said, str) else ""
