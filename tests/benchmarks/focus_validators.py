"""Other people's validators of FOCUS, each in an environment where it runs, and what they find."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KNOWN: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("focus_known.toml").read_text("utf-8"))
OFFICIAL = Path(".venv/focus/bin/python")
"""A Python 3.12 with the official validator; `make focus-check` makes it where it can."""
_TOTAL = re.compile(r"^Total: (\d+) \| Pass: (\d+) \| Fail: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^\S+ (\S+): FAIL\b(.*)$", re.MULTILINE)
SECONDS_MAX = 900


class ValidatorBroke(Exception):
    """It ended without a verdict; the text is the end of what it said."""


def official(file: Path, folder: Path) -> tuple[dict[str, str], int]:
    """Rules of FOCUS 1.2 that it says fail, artefacts too, with its words; and how many passed. It is run from
    `folder`, where it looks for its own rules; its exit code says nothing."""
    link = folder / "focus_validator"
    if not link.exists():
        where = "import focus_validator, pathlib; print(pathlib.Path(focus_validator.__file__).parent)"
        link.symlink_to(_said([str(OFFICIAL.absolute()), "-c", where], Path.cwd()).strip())
    said = _said(
        [
            str(OFFICIAL.absolute()), "-m", "focus_validator.main", "--data-file", str(file.absolute()),
            "--block-download", "--show-violations", "--applicability-criteria", ",".join(KNOWN["supported"]),
        ],
        folder,
    )  # fmt: skip
    total = _TOTAL.search(said)
    if total is None:
        raise ValidatorBroke(said[-2000:])
    failed = {rule: words.strip() for rule, words in _FAILED.findall(said)}
    if len(failed) != int(total[3]):
        raise ValidatorBroke(f"it says that {total[3]} rules fail, and names {len(failed)}: {sorted(failed)}")
    return failed, int(total[2])


def toolkit(file: Path, dataset: str = "cost-and-usage") -> dict[str, str]:
    """What focus-data-toolkit finds in a dataset of 1.4, by rule and column."""
    command = [str(Path(sys.executable).with_name("focus-toolkit")), "validate", str(file)]
    done = _run([*command, "--dataset", dataset], Path.cwd())
    said = done.stdout + done.stderr
    if not done.returncode:
        if "lint OK" not in said:
            raise ValidatorBroke(said[-2000:])
        return {}
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return {re.sub(r" row \d+.*", "", line): line for line in lines}


def unknown(failed: Mapping[str, str]) -> dict[str, str]:
    """Those that are no artefacts."""
    return {rule: said for rule, said in failed.items() if rule not in KNOWN["artefacts"]}


def _said(command: list[str], folder: Path) -> str:
    done = _run(command, folder)
    return done.stdout + done.stderr


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
