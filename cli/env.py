"""spendmeter env."""

import shlex

from cli._running import fail, running_state
from cli._terminal import say
from spendmeter.platform.kafka_access import KafkaAccess

NAMES = (
    "SPENDMETER_INGEST_URL",
    "SPENDMETER_API_URL",
    "SPENDMETER_PORTAL_URL",
    "SPENDMETER_RESERVATIONS_URL",
    "SPENDMETER_API_KEY",
    "SPENDMETER_ADMIN_KEY",
    *KafkaAccess(servers="").environment(),
    "DATABASE_URL",
)


def command() -> None:
    """Print the running system's addresses and keys as export lines.

    \b
    Examples:
      eval "$(spendmeter env)"
      curl -H "Authorization: Bearer $SPENDMETER_API_KEY" "$SPENDMETER_API_URL/v1/accounting"
    """
    environment = running_state().environment
    if missing := [name for name in NAMES if name not in environment]:
        fail(f"Spendmeter is still starting: {', '.join(missing)} not known yet. See: spendmeter status")
    for name in NAMES:
        say(f"export {name}={shlex.quote(environment[name])}")
