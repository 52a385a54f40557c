"""docs/which-price.md: what it shows of a command is what the command says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import build

PAGE = (Path(__file__).parents[2] / "docs" / "which-price.md").read_text("utf-8")
SHOWN = re.findall(r"^```sh\n(spendmeter price .*?)\n```\n\n```text\n(.*?)^```", PAGE, re.M | re.S)
EXAMPLES_MIN = 5


def test_the_page_has_its_examples() -> None:
    assert len(SHOWN) >= EXAMPLES_MIN
    assert len(SHOWN) == PAGE.count("```sh")


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_what_the_page_shows_of_a_command_is_what_it_says(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPENDMETER_HOME", str(tmp_path))
    said = iter(CliRunner().invoke(build(["price"]), shlex.split(command)[1:]).stdout.splitlines())
    for line in shown.splitlines():
        if line != "...":
            pattern = re.compile(re.escape(line).replace(re.escape("..."), ".*"))
            assert any(pattern.fullmatch(each) for each in said), f"not said, or not in this order: {line}"
