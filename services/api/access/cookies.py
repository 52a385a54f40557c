"""The cookies of people's browsers. Under https their names begin with __Host-, so that no neighbouring host
can plant one: somebody would work in the session of who planted it."""

from typing import Literal
from urllib.parse import urlsplit

from fastapi import Request, Response

from spendmeter.platform.settings import Settings

COOKIE = "spendmeter_session"
PENDING = "spendmeter_log_in"
"""What belongs to a log-in under way."""


def cookie_of(request: Request, name: str) -> str | None:
    """What the browser sent of it."""
    return request.cookies.get(_named(request, name))


def set_cookie(
    request: Request,
    response: Response,
    name: str,
    value: str,
    *,
    seconds: int,
    samesite: Literal["lax", "strict"],
) -> None:
    """Keep it in the browser for so long, out of reach of scripts; 0 = it forgets it."""
    response.set_cookie(
        _named(request, name),
        value,
        max_age=seconds,
        httponly=True,
        samesite=samesite,
        secure=_is_https(request),
    )


def _named(request: Request, name: str) -> str:
    return f"__Host-{name}" if _is_https(request) else name


def _is_https(request: Request) -> bool:
    """Whether the browser came by https: as far as we see, or, where a proxy does not say, because that is
    how the portal of this host is opened."""
    settings: Settings = request.app.state.settings
    portal = urlsplit(settings.portal_url)
    here = portal.netloc.lower().removesuffix(":443")
    named_so = portal.scheme == "https" and here == request.headers.get("host", "").lower()
    return named_so or request.url.scheme == "https"
