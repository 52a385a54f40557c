"""The Faust app: every message on spend.totals wakes its tenant's watch. Nothing else is asked of Faust.

No tables, no sends, no typed topics: docs of the settings in services/alerts/README.md.
"""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

import faust
import msgspec
from faust.app.base import BootStrategy

from services.alerts.scopes import MINUTE
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.topics import SPEND_TOTALS
from spendmeter.contracts.totals import SpendChanged
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.settings import Settings


class _TotalHead(msgspec.Struct, tag_field="type", tag="spendmeter.total.v1", frozen=True, kw_only=True):
    """What wakes of a total: amounts are read from the rollups, so nobody decodes them here."""

    tenant: str
    bucket_start: Annotated[datetime, msgspec.Meta(tz=True)]


_decode_change = msgspec.json.Decoder(_TotalHead | SpendChanged).decode


class _ConsumerOnly(BootStrategy):
    """alerts publishes through an idempotent producer of its own; Faust's loses sends in silence."""

    enable_kafka_producer = False


class _App(faust.App):
    BootStrategy = _ConsumerOnly

    async def on_first_start(self) -> None:
        """Faust would make folders for its tables here; there are none."""


def totals_app(
    settings: Settings,
    *,
    on_changed: Callable[[str, BucketSpan], None],
    on_undecodable: Callable[[], None],
    on_assigned: Callable[[Collection[int]], None],
) -> Any:
    """The app, not started; made inside the running loop. `on_changed` gets the tenant and the time in which
    its spend has changed, `on_assigned` the partitions that are ours."""
    app = _App(
        settings.topic_prefix + SPEND_TOTALS.group,
        broker=[f"kafka://{server}" for server in settings.kafka.servers.split(",")],
        broker_credentials=_credentials(settings.kafka),
        broker_client_id="spendmeter-alerts",
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="latest",  # what was published before we came, the first look has read
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_request_timeout=20.0,
        broker_commit_interval=1.0,
        stream_wait_empty=False,
        table_standby_replicas=0,
        key_serializer="raw",
        value_serializer="raw",
        loop=asyncio.get_running_loop(),
    )
    # Raw bytes, decoded in the agent: what a typed topic cannot decode Faust acks before anybody sees it.
    topic = app.topic(
        settings.topic_prefix + SPEND_TOTALS.name,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )

    async def wake(stream: Any) -> None:
        async for value in stream:
            try:
                changed = _decode_change(value or b"")
                span = _span_of(changed)
            except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError):
                on_undecodable()
            else:
                on_changed(changed.tenant, span)

    async def assigned(_app: Any, /, *arguments: Any, **_: Any) -> None:
        on_assigned([partition.partition for partition in arguments[0]])

    app.agent(topic, name="wake")(wake)
    app.on_partitions_assigned.connect(assigned)
    return app


def _span_of(changed: _TotalHead | SpendChanged) -> BucketSpan:
    """The time of which spend is to be read again."""
    if isinstance(changed, _TotalHead):
        return BucketSpan(changed.bucket_start, changed.bucket_start + MINUTE)
    midnight = datetime.combine(changed.day, time(), UTC)
    return BucketSpan(midnight, midnight + timedelta(days=1))


def _credentials(kafka: KafkaAccess) -> Any:
    """The access in Faust's words; None = plain text, where everybody is welcome."""
    options = kafka.options()
    context = options.get("ssl_context")
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            mechanism=kafka.mechanism,
            username=kafka.username,
            password=kafka.password,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None


async def run_app(app: Any) -> None:
    """Run until cancelled; raises when Faust has crashed, so that the process ends and is started anew."""
    try:
        await app.wait(app.start())
        await app.wait()
    finally:
        await app.stop()
    raise RuntimeError("Faust stopped by itself") from app.crash_reason
