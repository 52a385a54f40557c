"""The map and the glossary name files and folders that are there."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.house.sources import ROOT

PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|toml|sql|md)))`")


@pytest.mark.parametrize("page", ["docs/map.md", "docs/glossary.md", "README.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    places = [f"/{path}" for path in listed.stdout.splitlines()]
    named = PATH.findall((ROOT / page).read_text("utf-8"))
    assert named
    assert [name for name in named if not any(is_at(place, name) for place in places)] == []


def is_at(place: str, name: str) -> bool:
    return f"/{name}" in place if name.endswith("/") else place.endswith(f"/{name}")
