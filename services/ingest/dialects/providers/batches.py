"""Rows of the files in which vendors return batches: the answer inside each, or why there is none. Pure."""

from msgspec import Raw, Struct

from services.ingest.dialects.providers.answer import Answer

FAILED = "a failed request of a batch"
_RESULTS = ("succeeded", "errored", "canceled", "expired")


class BatchRow(Struct, frozen=True, kw_only=True):
    """What one line says; `answer` None = nothing was answered, and so nothing used."""

    answer: Raw | None
    id: str = ""
    """The vendor's, of the row."""


def row_of(answer: Answer, *, google: bool = False) -> BatchRow | None:
    """The row that an object is; None = it is none, but an answer itself. `google`: whether it is from there,
    where a row has few marks of its own."""
    result = answer.inner("result")
    if result is not None and result.text("type") in _RESULTS:  # Anthropic's
        return BatchRow(answer=result.raw("message"))
    if answer.has("modelOutput", "recordId"):  # Bedrock's
        return BatchRow(answer=answer.raw("modelOutput"))
    if answer.has("custom_id"):  # OpenAI's, and of those who follow it
        return BatchRow(answer=_body(answer), id=answer.text("id"))
    if google and answer.has("response", "key", "status") and not answer.has("object", "usage"):
        return BatchRow(answer=None if answer.text("status") else answer.raw("response"))
    return None


def _body(row: Answer) -> Raw | None:
    response = row.inner("response")
    if response is None:
        return None
    status = response.number("status_code")
    if status is None and not response.has("body", "error"):
        return row.raw("response")  # Vertex and Fireworks put nothing around it
    return None if status is not None and status >= 400 else response.raw("body")
