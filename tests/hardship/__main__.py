"""`make hardship`: every hardship on a system of its own, one after the other; the last line is JSON.

Each module says its method. Times are those of this machine, while nothing else runs on it: compare figures of
one run. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
from pathlib import Path

from tests.flow.system import System

HARDSHIPS = ("fairness", "stall", "takeover", "neighbour", "verify_speed")


def main() -> None:
    """Runs those that are named, or all."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="HARDSHIP", help=f"of {', '.join(HARDSHIPS)}")
    names = arguments.parse_args().names or HARDSHIPS
    if unknown := set(names) - set(HARDSHIPS):
        arguments.error(f"no such hardship: {', '.join(sorted(unknown))}")
    figures: dict[str, float] = {}
    for name in names:
        hardship = importlib.import_module(f"tests.hardship.{name}")
        print(f"{name}: {(hardship.__doc__ or '').split(chr(10) * 2)[0].strip()}", flush=True)
        began = time.monotonic()
        with (
            tempfile.TemporaryDirectory(prefix="hardship") as folder,
            System(Path(folder) / "home", environment=getattr(hardship, "ENVIRONMENT", {})) as system,
        ):
            measured = hardship.measure(system)
        print(f"  {measured}, after {time.monotonic() - began:.0f} s", flush=True)
        figures |= measured
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
