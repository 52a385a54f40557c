"""The client is a package of its own: it takes nothing of ours, and nothing but Python."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.client.stand_in import standing_in
from tests.house.sources import ROOT, trees
from tests.ingest.dialects.vendors import vendor

CLIENT = ROOT / "clients" / "python"
NAME = "spendmeter_client"
FILE_LINES_MAX = 220


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages that a file imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name.partition(".")[0] for name in found}


def sources() -> list[Path]:
    return sorted((CLIENT / "src").rglob("*.py"))


def test_the_client_imports_python_and_itself() -> None:
    assert len(sources()) > 5
    wrong = {
        path.name: names
        for path in sources()
        if (names := imported(ast.parse(path.read_text("utf-8"))) - sys.stdlib_module_names - {NAME})
    }
    assert wrong == {}


def test_nothing_of_ours_imports_the_client() -> None:
    assert [path for path, tree in trees() if NAME in imported(tree)] == []


def test_it_says_that_it_needs_nothing_and_that_it_is_typed() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["name"], project["dependencies"]) == ("spendmeter-client", [])
    assert (CLIENT / "src" / NAME / "py.typed").exists()


def test_the_example_of_its_page_works_as_pasted(tmp_path: Path) -> None:
    example = (CLIENT / "README.md").read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    (tmp_path / "example.py").write_text(example)
    with vendor() as vendor_url, standing_in() as server:
        environment = os.environ | {
            "OPENAI_BASE_URL": f"{vendor_url}/v1", "OPENAI_API_KEY": "k", "PYTHONPATH": str(CLIENT / "src"),
            "SPENDMETER_URL": server.url, "SPENDMETER_KEY": "k",
        }  # fmt: skip
        subprocess.run([sys.executable, tmp_path / "example.py"], env=environment, check=True, timeout=60)
        models = [event["data"].get("sku") or event["data"]["response"]["model"] for event in server.taken]
        assert sorted(models) == ["cloud-2", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"]
        assert {event["source"] for event in server.taken} == {"checkout-bot"}


def test_its_files_can_be_read_at_once() -> None:
    assert [
        path.name for path in sources() if len(path.read_text("utf-8").splitlines()) > FILE_LINES_MAX
    ] == []
