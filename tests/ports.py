"""Ports for what tests start by hand, safe beside other workers and other runs."""

from __future__ import annotations

import secrets

from deploy.local.home import choose_ports

FIRST, LAST = 20_000, 32_000
"""Below those that the system gives to clients: see tests/stack.py."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses and that nobody else will be given."""
    return choose_ports({"test": FIRST + secrets.randbelow(LAST - FIRST)})["test"]
