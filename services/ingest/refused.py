"""What ingest says when it does not take a request."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import TypedDict

RETRY_AFTER_S = 1


class BadEvent(TypedDict):
    """One event that broke a rule; `index` is its place in the request, None = the body itself."""

    index: int | None
    field: str
    reason: str


class RequestRefused(Exception):
    """The whole request is refused: an HTTP status, the rule it broke, and for 400 every bad event."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[BadEvent] = (),
        retry_after_s: int = RETRY_AFTER_S,
    ) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.status = status
        self.detail = detail
        self.errors = list(errors)

    @property
    def comes_again(self) -> bool:
        """Whether nothing is wrong with the request: later it may be sent again as it is."""
        return self.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the status calls for."""
        if self.comes_again:
            return {"Retry-After": str(self.retry_after_s)}
        if self.status is HTTPStatus.UNAUTHORIZED:
            return {"WWW-Authenticate": 'Bearer realm="spendmeter"'}
        return {}


bad_request = partial(RequestRefused, HTTPStatus.BAD_REQUEST)
unauthorized = partial(RequestRefused, HTTPStatus.UNAUTHORIZED)
forbidden = partial(RequestRefused, HTTPStatus.FORBIDDEN)
too_large = partial(RequestRefused, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
unsupported = partial(RequestRefused, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
unavailable = partial(RequestRefused, HTTPStatus.SERVICE_UNAVAILABLE)
"""Nothing is wrong with the request: it may be sent again as it is."""


def too_often(detail: str, retry_after_s: int) -> RequestRefused:
    """Nor here: it comes too early."""
    return RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, detail, retry_after_s=retry_after_s)
