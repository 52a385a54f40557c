"""How a question is taken and its answer sent: no parameter is passed over; as JSON, or a table as CSV or
Parquet; indented for people; with a tag, so that what a caller has already is not sent again."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, get_args
from urllib.parse import urlencode

import msgspec
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from services.api.http.as_it_is import why_not
from services.api.http.csv_table import csv_of
from services.api.http.models import Complete
from services.api.http.parquet_table import parquet_of
from services.api.http.pretty import PRETTY, indented, is_pretty
from services.api.http.problems import HttpRefusal, invalid

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
_COMPLETENESS = re.compile(
    rb'"(?:complete_through|in_flight|in_flight_age_s|proved_until)":\s*(?:"[^"]*"|null|[0-9.e-]+)'
)
"""The fields of `models.Complete`, and up to when all is proved. In a text of somebody's the quotes would be
escaped."""
_COMPLETE_THROUGH = re.compile(rb'"complete_through":\s*"([^"]*)"')


class Negotiated(APIRoute):
    """A route that answers in a form that the caller accepts; 406, before anything is done, if it has none.
    A parameter that it does not declare is refused: left out, it would answer another question.

    A model that is a table names in TABLES the fields of its rows: the first that has any counts. One that
    programs reckon with says PARQUET. Where a row is more than a line, its model has the lines: `LINE` is
    one, `lines_of` makes them of the row.
    Without a summary, the first sentence of the docstring is it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["summary"] = options.get("summary") or _first_sentence(endpoint.__doc__ or "")
        super().__init__(path, endpoint, **options)
        if tables_of(self.response_model):
            content = self.responses[200]["content"]
            shown = {**content, CSV: {"schema": {"type": "string", "description": "RFC 4180"}}}
            if _is_parquet(self.response_model):
                shown[PARQUET] = {"schema": {"type": "string", "format": "binary"}}
            self.responses = {**self.responses, 200: {**self.responses[200], "content": shown}}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's, with the form decided before and the answer put into it after."""
        handle = super().get_route_handler()
        tables = tables_of(self.response_model)
        complete = any(issubclass(each, Complete) for each in _models(self.response_model))
        forms = (JSON, *((CSV,) if tables else ()), *((PARQUET,) if _is_parquet(self.response_model) else ()))
        known = None if "parameters" in (self.openapi_extra or {}) else list(_parameters(self.dependant))

        async def negotiated(request: Request) -> Response:
            if known is not None:  # else some are named by a pattern: the route looks at them itself
                refuse_unknown(request, known)
            if self.status_code == 204:
                return await handle(request)
            form = form_of(",".join(request.headers.getlist("accept")), forms)
            if form is None:
                raise HttpRefusal(406, "Not acceptable", f"Accept: this route answers {' or '.join(forms)}")
            answer = await handle(request)
            if form == CSV and not answer.headers["Content-Type"].startswith(CSV):
                answer = _as_csv(request, answer, tables)
            elif form == PARQUET:
                answer = await asyncio.to_thread(_as_parquet, request, answer, tables)
            elif is_pretty(request):
                answer = indented(answer)
            return _tagged(request, answer, moving=complete)

        return negotiated


def refuse_unknown(request: Request, known: Sequence[str]) -> None:
    """Raises HttpRefusal (422) for a parameter that is none of these."""
    for name in request.query_params:
        if name == "as_of" and name not in known:
            raise invalid(name, why_not(request.url.path))
        if name not in known and name != PRETTY:
            there = f"these are: {', '.join(known)}" if known else "there are none"
            raise invalid(name[:64], f"is not a parameter here; {there}")


def _parameters(dependant: Dependant) -> Iterable[str]:
    yield from (each.alias for each in dependant.query_params)
    for each in dependant.dependencies:
        yield from _parameters(each)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].removesuffix(".")


def form_of(accept: str, forms: Sequence[str]) -> str | None:
    """The form that is preferred, of equally preferred ones the first; None when none is accepted."""
    if not accept.strip():
        return forms[0]
    ranges = [_range(part) for part in accept.split(",")]

    def quality(form: str) -> float:
        kind = form.split("/")[0]
        for name in (form, f"{kind}/*", "*/*"):  # the more specific one decides
            weights = [weight for each, weight in ranges if each == name]
            if weights:
                return max(weights)
        return 0

    best = max(forms, key=quality)
    return best if quality(best) > 0 else None


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (each.strip().lower() for each in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0
    return name, 1


def tables_of(model: Any) -> Mapping[str, type[BaseModel]]:
    """Field to the model of its rows, of an answer that is a table; empty = it is none."""
    found: dict[str, type[BaseModel]] = {}
    for each in _models(model):
        for name in getattr(each, "TABLES", ()):
            found[name] = get_args(each.model_fields[name].annotation)[0]
    return found


def _models(model: Any) -> tuple[Any, ...]:
    return tuple(each for each in get_args(model) or (model,) if isinstance(each, type))


def _is_parquet(model: Any) -> bool:
    return any(getattr(each, "PARQUET", False) for each in _models(model))


def _as_csv(request: Request, answer: Response, tables: Mapping[str, type[BaseModel]]) -> Response:
    rows, model, headers = _table(request, answer, tables)
    text = csv_of(rows, model)
    return Response(text, headers=headers, media_type=f"{CSV}; charset=utf-8; header=present")


def _as_parquet(request: Request, answer: Response, tables: Mapping[str, type[BaseModel]]) -> Response:
    rows, model, headers = _table(request, answer, tables)
    return Response(parquet_of(rows, model), headers=headers, media_type=PARQUET)


def _table(
    request: Request, answer: Response, tables: Mapping[str, type[BaseModel]]
) -> tuple[list[dict[str, Any]], type[BaseModel], dict[str, str]]:
    """The rows of the table that the answer is, their model, and what is said beside them in headers."""
    content = msgspec.json.decode(bytes(answer.body))
    there = [name for name in tables if name in content]
    if not there:
        raise HttpRefusal(406, "Not acceptable", "Accept: this answer is no table; ask for application/json")
    name = next((each for each in there if content[each]), there[-1])
    headers = {"X-Complete-Through": content.get("complete_through") or ""}
    cursor = content.get("next_groups") if name == "totals" else content.get("next_cursor")
    if cursor:
        others = [each for each in request.query_params.multi_items() if each[0] != "cursor"]
        headers["Link"] = f'<{request.url.path}?{urlencode([*others, ("cursor", cursor)])}>; rel="next"'
    rows, model = content[name], tables[name]
    if line := getattr(model, "LINE", None):
        rows, model = [each for row in rows for each in model.lines_of(row)], line  # type: ignore[attr-defined]
    return rows, model, headers


def _tagged(request: Request, answer: Response, *, moving: bool) -> Response:
    """With an ETag; 304 without a body when the caller has it. Weak: compression changes the bytes. `moving`:
    up to when it is complete moves on each second, what it says may stay; a 304 says that in a header."""
    answer.headers["Vary"] = "Accept, Accept-Encoding, Authorization, Cookie, User-Agent, X-Spendmeter-Tenant"
    if request.method not in {"GET", "HEAD"} or answer.status_code != 200:
        return answer
    body = bytes(answer.body)
    tag = f'W/"{blake2b(_COMPLETENESS.sub(b"", body) if moving else body, digest_size=16).hexdigest()}"'
    answer.headers["ETag"] = tag
    known = {each.strip() for each in request.headers.get("if-none-match", "").split(",")}
    if tag not in known and tag.removeprefix("W/") not in known:
        return answer
    headers = {"ETag": tag, "Vary": answer.headers["Vary"]}
    if through := answer.headers.get("X-Complete-Through") or _complete_through(body):
        headers["X-Complete-Through"] = through
    return Response(status_code=304, headers=headers)


def _complete_through(body: bytes) -> str:
    found = _COMPLETE_THROUGH.search(body)
    return found[1].decode() if found else ""
