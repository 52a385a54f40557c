"""The process: the HTTP door, and what keeps it fed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from services.ingest.admitted import AdmittedValues
from services.ingest.admitted_writer import AdmittedValuesWriter
from services.ingest.app import Door, create_app
from services.ingest.dropped import DroppedNamesWriter
from services.ingest.keys import IngestKeys
from services.ingest.pseudonyms import Pseudonyms
from services.ingest.publish import Publisher
from services.ingest.rates import KeyRates
from spendmeter.contracts.topics import USAGE_EVENTS, USAGE_OUTCOMES
from spendmeter.platform import kafka
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.service import HttpService
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[HttpService]:
    """The service, at once: it connects behind the door, which says what it waits for."""
    meters, url = Meters(), settings.database_url.get_secret_value()
    admitted = AdmittedValues()
    keys, dropped = IngestKeys(url, meters, admitted), DroppedNamesWriter(url, meters)
    admissions = AdmittedValuesWriter(url, admitted)
    publisher = Publisher(
        settings.topic_prefix + USAGE_EVENTS.name,
        settings.topic_prefix + USAGE_OUTCOMES.name,
        lambda: kafka.producer(settings, service="ingest"),
    )
    uses = KeyUses(url, "ingest")
    door = Door(
        keys=keys,
        publisher=publisher,
        meters=meters,
        dropped=dropped,
        admitted=admitted,
        pseudonyms=Pseudonyms(url),
        region=settings.region,
        rates=KeyRates(settings.key_requests_per_minute, settings.key_events_per_minute),
        uses=uses,
        age_max=timedelta(days=settings.event_age_max_days),
    )
    yield HttpService(
        app=create_app(door),
        background=(
            keys.keep_fresh(),
            publisher.keep_publishing(),
            dropped.keep_writing(),
            admissions.keep_writing(),
            uses.keep_writing(),
        ),
        options={"proxy_headers": False},
    )
