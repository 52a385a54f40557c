"""How far the projections are behind the book, as the corrector's metrics say."""

import re
import urllib.request

from deploy.local.home import LOOPBACK
from deploy.local.services import PROBE_SECONDS_MAX

_BEHIND = re.compile(
    r'^spendmeter_projections_behind(?:_\w+)?\{[^}]*\bprojection="(\w+)"[^}]*\} (\S+)$', re.MULTILINE
)


def read_behind(port: int) -> dict[str, int]:
    """Offsets that each projection has not folded yet; empty where the corrector does not say."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=PROBE_SECONDS_MAX) as answer:
            return behind_of(answer.read().decode())
    except OSError:
        return {}


def behind_of(metrics: str) -> dict[str, int]:
    """The same of the text of the metrics."""
    return {name: int(float(offsets)) for name, offsets in _BEHIND.findall(metrics)}


def behind_text(behind: dict[str, int]) -> str:
    """For people."""
    if not any(behind.values()):
        return f"projections: {', '.join(behind)} are up to date"
    lag = ", ".join(f"{name} {offsets:,}" for name, offsets in behind.items())
    return f"projections, offsets behind the book: {lag}"
