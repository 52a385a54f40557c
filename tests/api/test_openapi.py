"""The description: an example for every route, true to the route's own model; pages without another host."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from services.api.app import PARTS
from services.api.portal import assets
from spendmeter.contracts.series import DIMENSIONS

ROUTES = [
    route
    for module in PARTS
    for route in module.router.routes
    if isinstance(route, APIRoute) and route.response_model is not None
]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{min(route.methods)} {route.path}")
def test_every_route_has_an_example_that_its_own_model_accepts(route: APIRoute) -> None:
    content = route.responses[route.status_code or 200]["content"]["application/json"]
    TypeAdapter(route.response_model).validate_python(content["example"])
    assert route.description
    assert route.responses[422]["content"]["application/problem+json"]["example"]["detail"]


async def test_the_description_lists_every_route(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {route.path.replace(":path}", "}") for route in ROUTES} <= set(paths)
    assert len(ROUTES) >= 15


async def test_every_dimension_is_a_filter_parameter(client: httpx.AsyncClient) -> None:
    description = (await client.get("/openapi.json")).json()
    for path in ("/v1/spend", "/v1/events"):
        names = {each["name"] for each in description["paths"][path]["get"]["parameters"]}
        assert {f"filter.{dimension}" for dimension in DIMENSIONS} <= names


async def test_the_pages_ask_no_other_host(client: httpx.AsyncClient) -> None:
    for path in ("/", "/docs"):
        page = await client.get(path)
        assert page.status_code == 200
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert addresses
        for address in addresses:
            assert address.startswith(("/", "#")), address
            if address.startswith(("/portal/", "/library/")):
                assert (await client.get(address)).status_code == 200, address
    for path in sorted(assets.PORTAL.glob("*.js")):
        text = path.read_text("utf-8")
        assert not re.search("https?://", text.replace("http://www.w3.org/2000/svg", "")), path.name
        assert "innerHTML" not in text, path.name


async def test_every_example_of_a_problem_is_of_its_own_status_and_has_a_schema(
    client: httpx.AsyncClient,
) -> None:
    description = (await client.get("/openapi.json")).json()
    seen = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert re.search(r"[a-z] [a-z]", operation["summary"]), (path, method)
            for status, response in operation["responses"].items():
                problem = response.get("content", {}).get("application/problem+json")
                if problem is None:
                    assert status < "400", (path, method, status)
                    continue
                seen += 1
                assert problem["example"]["status"] == int(status), (path, method)
                assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert problem["example"].keys() >= {"type", "title", "detail", "instance"}
            assert {"408", "414", "421", "429", "431", "503"} <= operation["responses"].keys(), (path, method)
            assert ("413" in operation["responses"]) == ("requestBody" in operation), (path, method)
    assert seen > 300
    schema = description["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "instance", "errors"} == set(schema["properties"])
    assert description["servers"][0]["url"] == "/"
    assert "text/csv" in description["paths"]["/v1/spend"]["get"]["responses"]["200"]["content"]
