"""Equal questions of callers who may see the same are answered once: for routes that answer with a model."""

from collections.abc import Awaitable, Callable, Hashable, Iterable
from functools import wraps
from operator import itemgetter
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from services.api.access.auth import Caller
from services.api.database.transactions import Onlooker, database_of
from services.api.http.pretty import PRETTY
from services.api.http.representation import JSON
from services.api.http.shared_answers import shared_answers_of, wants_fresh
from services.api.http.spans import in_whole_minutes


def answered_once(answer: Callable[..., Awaitable[BaseModel]]) -> Callable[..., Awaitable[Response]]:
    """Around the function of a route that takes `request` and `caller`, and reads nothing of the request but
    its path and parameters. A change by the tenant through this process is in every answer asked for after
    it; any other within AGE_S_MAX."""

    @wraps(answer)
    async def shared(*, request: Request, caller: Caller, **asked: Any) -> Response:
        async def content() -> bytes:
            found = await answer(request=request, caller=caller, **asked)
            return found.model_dump_json(by_alias=True).encode()

        key = (
            question_key(request, caller.onlooker, request.query_params.multi_items()),
            frozenset(caller.scopes),
        )
        given = await shared_answers_of(request).get(key, content, fresh=wants_fresh(request))
        return Response(given, media_type=JSON)

    return shared


def question_key(request: Request, onlooker: Onlooker, parameters: Iterable[tuple[str, str]]) -> Hashable:
    """Who asks what, after which changes by the tenant through this process. The order of parameters is
    nothing; that of the values of one may be a part of the question."""
    asked = (each for each in in_whole_minutes(parameters) if each[0] != PRETTY)
    acts = database_of(request).acts(onlooker.tenant)
    return onlooker, acts, request.url.path, *sorted(asked, key=itemgetter(0))
