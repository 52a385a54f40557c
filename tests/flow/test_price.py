"""`spendmeter price` beside a running system."""

from __future__ import annotations

import json
from pathlib import Path

from tests.flow.system import System

OWN = """
source = "our contract"
recorded_at = 2026-11-01T00:00:00Z
tenant = "globex"
layer = "organisation"

[[price]]
provider = "openai"
sku = "gpt-4o-mini"
per = 1_000_000
prices = {input_tokens = "0.125"}
"""


def test_a_price_is_the_running_catalogs_for_the_tenant_that_asks(system: System, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN)
    proposed = system.cli("catalog", "propose", file, "--tenant", "globex", "--json").stdout
    system.cli("catalog", "approve", str(json.loads(proposed)["id"]), "--tenant", "globex", "--confirm")
    asked = ("price", "openai/gpt-4o-mini", "input_tokens=1000000")
    own = system.cli(*asked, "--tenant", "globex").stdout
    assert "publication" in own
    assert "=  0.125 USD" in own
    assert "total  =  0.15 USD, priced" in system.cli(*asked, "--tenant", "acme").stdout
    assert "total  =  0.15 USD, priced" in system.cli(*asked, "--shipped").stdout
    refused = system.cli(*asked, "--tenant", "nobody", check=False)
    assert (refused.returncode, "no such tenant" in refused.stderr) == (1, True)
