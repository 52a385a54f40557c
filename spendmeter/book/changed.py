"""Which days of which tenants are to be read again, told on `spend.totals`: each once a second at most.

For what no total tells: late events, corrections, and what is too much. A lost message does no harm: whoever
watches reads everything again in time.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import islice

from aiokafka import AIOKafkaProducer

from spendmeter.contracts.totals import SpendChanged, encode_changed
from spendmeter.platform.kafka import send_by_key
from spendmeter.platform.retry import keep_doing, passes

TenantDay = tuple[str, date]
INTERVAL_S = 1.0
DAYS_MAX = 10_000
"""That wait, of all tenants; a tenant has some 400, for older events are refused."""
SENT_MAX = 500
"""In a second; what is left waits its turn."""


def day_of(tenant: str, minute: datetime) -> TenantDay:
    """The day that a minute of the tenant's is told by."""
    return tenant, minute.astimezone(UTC).date()


class ChangedDays:
    """Remembers what changed; `run` tells it once a second."""

    def __init__(self, sender: AIOKafkaProducer, topic: str) -> None:
        self._sender = sender
        self._topic = topic
        self._waiting: dict[TenantDay, None] = {}

    def add(self, days: Iterable[TenantDay]) -> int:
        """These have changed, and are committed; how many are not remembered, for too many wait."""
        passed_over = 0
        for day in days:
            if len(self._waiting) < DAYS_MAX or day in self._waiting:
                self._waiting[day] = None
            else:
                passed_over += 1
        return passed_over

    async def run(self) -> None:
        """Publish until cancelled. Raises KafkaError where only a new process, a new producer, helps."""
        await keep_doing(self.publish, "changed days wait", every_s=INTERVAL_S, away=passes)

    async def publish(self) -> None:
        """Tell of those that have waited longest; a day that changes meanwhile is told once more."""
        days = list(islice(self._waiting, SENT_MAX))
        for day in days:
            del self._waiting[day]
        try:
            if days:
                told = [SpendChanged(tenant=tenant, day=day) for tenant, day in days]
                await send_by_key(
                    self._sender, self._topic, [(one.tenant.encode(), encode_changed(one)) for one in told]
                )
        except BaseException:
            self.add(days)
            raise
