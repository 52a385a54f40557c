"""Hearing a client out that is refused while it is still sending, so that it comes to read why."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spendmeter.platform.connection import CALL, GIVE_UP

DRAIN_BYTES_MAX = 32 * 1024 * 1024
"""Three times the largest body that any route takes. A client that announces more is told that the connection
closes; one that sends more is no longer heard."""
DRAIN_S_MAX = 10.0

CLOSE = (b"connection", b"close")


class HeardOut:
    """Around an application: an answer that comes before the whole request goes out at once, but is not ended
    until the rest of the request was read and dropped, within bounds.

    Ended at once, the server would close (or take the rest for the next request), and a client that sends all
    before it reads would see a reset.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        whole = False

        async def receive_noting_the_end() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body", False)  # or the client has gone
            return message

        async def send_and_hear_out(message: Message) -> None:
            if whole:
                await send(message)
            elif message["type"] == "http.response.start":
                more = [CLOSE] if _comes_to_nothing(scope) else []
                await send({**message, "headers": [*message.get("headers", ()), *more]})
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await _drain(receive_noting_the_end, scope)
                await send({"type": "http.response.body", "body": b""})

        await self._app(scope, receive_noting_the_end, send_and_hear_out)


async def _drain(receive: Receive, scope: Scope) -> None:
    """Read to the end of the request; at a bound the connection gives the client up."""
    heard = 0
    try:
        async with asyncio.timeout(DRAIN_S_MAX):
            while heard <= DRAIN_BYTES_MAX:
                message = await receive()
                heard += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        pass
    scope["extensions"][GIVE_UP][CALL]()


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _comes_to_nothing(scope: Scope) -> bool:
    """The rest is too long to be heard out, or is not sent at all by a client that waits for a 100."""
    return any(
        name == b"expect" or (name == b"content-length" and int(value) > DRAIN_BYTES_MAX)
        for name, value in scope["headers"]
    )
