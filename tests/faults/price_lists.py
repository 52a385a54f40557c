"""Prices of a provider of its own, stated as people state them: proposed in a file and approved."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import httpx

from tests.benchmarks.load import MODELS
from tests.faults.loading import Prices
from tests.flow.system import System
from tests.flow.test_catalog import HEADER

BASE = {
    "input_tokens": "3",
    "cache_read_tokens": "0.3",
    "cache_write_5m_tokens": "3.75",
    "output_tokens": "15",
}
"""US dollars a million; the second model twice as much, the third three times, and so on."""
FACTORS = (70, 2, 3)
"""On these, one price list after the other."""


@dataclass(kw_only=True)
class PriceLists:
    """One list at a time is in force: each is put in place of what there is of the provider."""

    system: System
    folder: Path
    provider: str = field(default_factory=lambda: f"r{uuid4().hex[:6]}")

    def prices(self, number: int) -> Prices:
        """What one of each unit costs by a price list, by model."""
        return {
            f"{self.provider}/{sku}": {
                unit: f"{(Decimal(amount).scaleb(-6) * place * FACTORS[number]).normalize():f}"
                for unit, amount in BASE.items()
            }
            for place, (_, sku) in enumerate(MODELS, 1)
        }

    async def propose(self, number: int) -> int:
        """The proposal of a price list."""
        file, lines = self.folder / f"{self.provider}.toml", [HEADER]
        for name, of in self.prices(number).items():
            amounts = ", ".join(f'{unit} = "{amount}"' for unit, amount in of.items())
            sku = name.partition("/")[2]
            lines.append(
                f'[[price]]\nprovider = "{self.provider}"\nsku = "{sku}"\nper = 1\nprices = {{ {amounts} }}'
            )
        file.write_text("\n".join(lines))
        said = ("catalog", "propose", file, "--replace", "--json")
        done = await asyncio.to_thread(self.system.cli, *said, timeout=300)
        return int(json.loads(done.stdout)["id"])

    async def approve(self, proposal: int) -> int:
        """The version that brings it into force."""
        key = {"Authorization": f"Bearer {self.system.state.environment['SPENDMETER_ADMIN_KEY']}"}
        async with httpx.AsyncClient(base_url=self.system.api, headers=key, timeout=300) as api:
            done = await api.post(f"/v1/catalog/proposals/{proposal}/approve", json={"confirm": True})
        assert done.status_code == 200, done.text
        return int(done.json()["version"])
