"""A new unit is one entry of the registry: with it both importers take over its price, and the door takes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import spendmeter
from spendmeter.contracts.units import UNITS

ENTRY = """
[hologram_tokens]
about = "tokens of a hologram"
parent = "output_tokens"
whole = true
genai = { output_hologram_mtok = 1_000_000 }
litellm = { output_cost_per_hologram = "", output_cost_per_scene = "hologram" }
"""
GENAI = b"""[{"id": "tide", "name": "Tide", "api_pattern": "tide", "provider_match": {"contains": "tide"}, "models":
    [{"id": "tide-1", "match": {"equals": "tide-1"}, "prices": {"output_hologram_mtok": 7}}]}]"""
LITELLM = b"""{
    "tide/tide-2": {"litellm_provider": "tide", "mode": "chat", "output_cost_per_hologram": 7e-06},
    "tide/tide-3": {"litellm_provider": "tide", "mode": "hologram", "output_cost_per_scene": 7e-06},
    "tide/tide-4": {"litellm_provider": "tide", "mode": "chat", "output_cost_per_scene": 7e-06}}"""
IMPORT = f"""
from datetime import UTC, datetime
from spendmeter.contracts.catalog import Price
from spendmeter.pricing.catalog.read import read_prices

for raw in ({GENAI!r}, {LITELLM!r}):
    for entry in read_prices("prices.json", raw, recorded_at=datetime(2026, 11, 25, tzinfo=UTC)):
        if isinstance(entry, Price):
            print(entry.sku, entry.unit, entry.price, entry.per)
"""


def test_one_entry_with_its_spellings_makes_both_importers_take_a_unit_over(tmp_path: Path) -> None:
    shutil.copytree(spendmeter.__path__[0], tmp_path / "spendmeter")
    with (tmp_path / "spendmeter" / "contracts" / "units.toml").open("a") as registry:
        registry.write(ENTRY)
    path = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=tmp_path, env=path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "tide-1 hologram_tokens 7 1000000",
        "tide-2 hologram_tokens 7 1000000",
        "tide-3 hologram_tokens 7 1000000",  # and tide-4 is of a mode for which the name says something else
    ]


def test_no_spelling_is_of_two_units() -> None:
    genai = [key for unit in UNITS.values() for key in unit.genai]
    litellm = [spelling for unit in UNITS.values() for spelling in unit.litellm.items()]
    assert len({*genai}) == len(genai)
    assert len({*litellm}) == len(litellm)
