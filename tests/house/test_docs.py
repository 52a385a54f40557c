"""The map and the glossary name what is there, and a room's README names every file of it."""

from __future__ import annotations

import re
from pathlib import PurePath

import pytest

from tests.house.sources import ROOT

PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|toml|sql|md)))`")
FILES = sorted(
    str(path.relative_to(ROOT))
    for top in ROOT.iterdir()
    if not top.name.startswith(".")
    for path in ([top] if top.is_file() else top.rglob("*"))
    if path.is_file()
)
ROOMS = [str(PurePath(file).parent) for file in FILES if file.endswith("/README.md")]


@pytest.mark.parametrize("page", ["docs/map.md", "docs/glossary.md", "README.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    named = PATH.findall((ROOT / page).read_text("utf-8"))
    assert named
    assert [name for name in named if not any(is_at(f"/{file}", name) for file in FILES)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_readme_names_every_file_of_it(room: str) -> None:
    readme = (ROOT / room / "README.md").read_text("utf-8")
    inner = [other for other in ROOMS if other.startswith(f"{room}/")]
    files = [PurePath(file) for file in FILES if file.startswith(f"{room}/") and file.endswith(".py")]
    own = [file for file in files if not any(file.is_relative_to(other) for other in inner)]
    assert [str(file) for file in own if not file.name.startswith("__") and file.name not in readme] == []


def is_at(place: str, name: str) -> bool:
    return f"/{name}" in place if name.endswith("/") else place.endswith(f"/{name}")
