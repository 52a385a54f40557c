"""`POST /mcp`: a read-only MCP server (Streamable HTTP, no sessions). Each tool asks a route of this very
application with the credential of whoever asks, so rights, shares, bounds and row-level security are those of
the route, and there is no second implementation of any answer."""

from collections.abc import Mapping
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI, Request
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    TextContent,
    Tool,
    ToolAnnotations,
)
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.api.access.auth import TeamReader, same_origin
from services.api.http.problems import HttpRefusal, forbidden
from services.api.mcp.shown import TooLong, shown
from services.api.mcp.tools import SAID, TOOLS, BadQuestion, question_of, schema_of
from spendmeter.platform.telemetry import log

_PASSED_ON = ("authorization", "host", "x-spendmeter-tenant")
_ANNOTATIONS = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)
_HOST_IS_CHECKED_BEFORE = TransportSecuritySettings(enable_dns_rebinding_protection=False)
GONE = 499
"""In the log: who asked did not wait for the answer."""

router = APIRouter()


@router.post("/mcp", include_in_schema=False)
async def ask_by_mcp(request: Request, caller: TeamReader) -> Response:
    """Answer one message of the protocol. A session of the portal is no way in: a page that somebody visits
    could use it. Who sees one team alone is let in: each tool's route knows what it shows them."""
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        raise HttpRefusal(401, "Unauthorized", "send Authorization: Bearer sm_...")
    if "origin" in request.headers and not same_origin(request):
        raise forbidden("a browser's page of another origin asks nothing here")
    content = await request.body()  # read by the protocol, one that is too large would be our fault
    return _Answered(_server(request.app, caller.by, caller.tenant), content)


class _Answered(Response):
    """Whatever the protocol answers to this body."""

    def __init__(self, server: Server[Any], content: bytes) -> None:
        super().__init__()
        self._server, self._content = server, content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Nothing outlives the request: no session, no task, no stream."""
        unread: list[Message] = [{"type": "http.request", "body": self._content, "more_body": False}]

        async def receive_again() -> Message:
            return unread.pop() if unread else await receive()

        manager = StreamableHTTPSessionManager(
            self._server, stateless=True, json_response=True, security_settings=_HOST_IS_CHECKED_BEFORE
        )
        async with manager.run():
            await manager.handle_request(scope, receive_again, send)


def _schemas(app: FastAPI) -> Mapping[str, dict[str, Any]]:
    paths = app.openapi()["paths"]
    return {name: schema_of(tool, paths[tool.path]["get"]) for name, tool in TOOLS.items()}


def _server(app: FastAPI, by: str, tenant: str) -> Server[Any]:
    schemas = _schemas(app)

    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=name,
                    description=tool.about + SAID,
                    input_schema=schemas[name],
                    annotations=_ANNOTATIONS,
                )
                for name, tool in TOOLS.items()
            ]
        )

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            return _told("there is no such tool", error=True)
        status = GONE
        try:
            path, parameters = question_of(tool, schemas[tool.name], params.arguments or {})
            answer = await _asked(context.request, path, parameters)
            status = answer.status_code
            return _told(shown(answer.json()), error=answer.is_error)
        except BadQuestion as bad:
            status = 422
            return _told(str(bad), error=True)
        except TooLong:
            return _told("the answer is too long: ask for a shorter range or fewer groups", error=True)
        finally:
            log().info("asked by MCP", tool=tool.name, by=by, tenant=tenant, status=status)

    return Server("spendmeter", on_list_tools=list_tools, on_call_tool=call_tool)


async def _asked(request: Request, path: str, parameters: Any) -> httpx.Response:
    headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    transport = httpx.ASGITransport(app=request.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.get(path, params=parameters, headers=headers)


def _told(text: str, *, error: bool) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=error)
