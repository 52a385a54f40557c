"""Keys that services of ours send with: derived from the installation's one secret, as their passwords are.

A service goes through the front door as everybody does, so that what it sends is stamped and priced like any
other event. Its key's id never changes, for it is part of the series of what it sends; its secret follows the
installation's, with the next `migrate`.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("service_keys.sql"))
ACCRUALS = "accruals"
"""What accrues by the hour; its reported costs are booked as they are."""


def key_id(name: str) -> str:
    """The same in every installation."""
    return "k" + hashlib.sha256(f"service key {name}".encode()).hexdigest()[:12]


def service_key(role_secret: str, name: str) -> str:
    """The key's text."""
    return f"sm_service_{key_id(name)}_{_secret(role_secret, name)}"


async def apply_service_keys(connection: Any, role_secret: str) -> None:
    """See to it that the key is there, with today's secret; one that was revoked stays so."""
    hashed = hashlib.sha256(_secret(role_secret, ACCRUALS).encode()).digest()
    await connection.execute(SQL["put"], key_id(ACCRUALS), OPERATOR, ACCRUALS, hashed)


def _secret(role_secret: str, name: str) -> str:
    digest = hmac.digest(role_secret.encode(), f"service key {name}".encode(), "sha256")
    return urlsafe_b64encode(digest).decode().rstrip("=")
