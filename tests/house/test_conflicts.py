"""No file holds what git writes into one that it could not merge."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.house.sources import ROOT

MARKER = re.compile(rb"^(?:<{7} |\|{7} |>{7} |={7}\r?$)", re.MULTILINE)
"""Ours, the base, theirs; and the line between them."""


@pytest.mark.parametrize("marker", ["<" * 7 + " HEAD", "|" * 7 + " 1ebb1ab", "=" * 7, ">" * 7 + " theirs"])
def test_every_marker_is_known_where_a_line_begins_with_it(marker: str) -> None:
    assert MARKER.search(f"one\n{marker}\ntwo\n".encode())
    assert not MARKER.search(f"one {marker} two\n".encode())


def test_no_tracked_file_holds_a_conflict() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: nothing is tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    assert len(paths) > 100
    assert [str(path) for path in paths if path.is_file() and MARKER.search(path.read_bytes())] == []
