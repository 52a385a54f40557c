"""Runs the real supervisor with stand-ins for what it starts: this folder's `services`, and no preparation.

python launch.py, with SPENDMETER_SUPERVISOR_OPTIONS as for the supervisor.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

from deploy.local import services, supervisor


async def prepare(**asked: object) -> dict[str, str]:
    """What the real one answers, without a topic or a table."""
    assert {
        "kafka",
        "owner_url",
        "role_secret",
        "topic_prefix",
        "partitions",
        "secrets_file",
        "webhook_url",
        "history",
        "say",
    } == set(asked)
    return {"SPENDMETER_API_KEY": "sm_demo_key", "SPENDMETER_ADMIN_KEY": "sm_admin_key"}


standin = types.ModuleType("deploy.local.prepare")
standin.prepare = prepare  # type: ignore[attr-defined]
sys.modules[standin.__name__] = standin
services.CLONE = Path(__file__).resolve().parent
raise SystemExit(supervisor.main())
