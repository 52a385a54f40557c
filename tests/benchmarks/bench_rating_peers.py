"""The rating worker's job on another stream processor, for bench_rating to measure: read usage.events, answer
each record by the same code, write usage.rated, acknowledged by all replicas.

Run by the Python of .venv/bench: `python -m tests.benchmarks.bench_rating_peers quixstreams PREFIX`, with KAFKA_* as a service
has them.
What the worker does besides is left out: neither keeps to the input's partition, traces or counts; bytewax
keeps no offsets here, and quixstreams commits them once a second.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

from services.rating.rate import RatedRecord, RecordRater
from spendmeter.contracts.rated import Origin
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.price_book import PriceBook

LOGIN = {
    "security.protocol": os.environ["KAFKA_SECURITY_PROTOCOL"],
    "sasl.mechanism": os.environ["KAFKA_SASL_MECHANISM"],
    "sasl.username": os.environ["KAFKA_SASL_USERNAME"],
    "sasl.password": os.environ["KAFKA_SASL_PASSWORD"],
}
PRODUCER = {"enable.idempotence": "true", "acks": "all"}


class Job:
    """One record's answer, as the worker would give it."""

    def __init__(self) -> None:
        self._book = PriceBook(load_snapshot(), version=1)
        self._answers = RecordRater(timedelta(days=400))

    def answer(
        self, key: bytes | None, value: bytes, partition: int, offset: int, timestamp_ms: int
    ) -> RatedRecord:
        origin = Origin(topic="f" * 32, partition=partition, offset=offset)
        now = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
        return self._answers.answer(key, value, origin=origin, prev=offset - 1, book=self._book, now=now)


def quixstreams(broker: str, events: str, rated: str) -> None:
    from quixstreams import Application, message_context
    from quixstreams.kafka import ConnectionConfig
    from quixstreams.models import BytesSerializer

    class Value(BytesSerializer):
        def __call__(self, value, ctx):
            return value.value

    job = Job()
    app = Application(
        ConnectionConfig.from_librdkafka_dict({"bootstrap.servers": broker} | LOGIN), consumer_group=events, auto_offset_reset="earliest", commit_interval=1.0,
        producer_extra_config=PRODUCER, auto_create_topics=False, loglevel="WARNING",
    )  # fmt: skip

    def answer(value, key, timestamp, headers):
        at = message_context()
        return job.answer(key, value, at.partition, at.offset, timestamp)

    records = app.dataframe(app.topic(events, key_deserializer="bytes", value_deserializer="bytes"))
    answers = records.apply(answer, metadata=True)
    out = app.topic(rated, key_serializer="bytes", value_serializer=Value())
    answers.to_topic(out, key=lambda answer: answer.key)
    app.run()


def bytewax(broker: str, events: str, rated: str) -> None:
    import bytewax.operators as op
    from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
    from bytewax.dataflow import Dataflow
    from bytewax.testing import run_main

    job = Job()

    def answer(record):
        answer = job.answer(record.key, record.value, record.partition, record.offset, record.timestamp[1])
        return KafkaSinkMessage(answer.key, answer.value)

    flow = Dataflow("rating")
    records = op.input("events", flow, KafkaSource([broker], [events], batch_size=4_000, add_config=LOGIN))
    answers = op.map("answer", records, answer)
    op.output("rated", answers, KafkaSink([broker], rated, add_config=PRODUCER | LOGIN))
    run_main(flow)


if __name__ == "__main__":
    _, peer, prefix = sys.argv
    {"quixstreams": quixstreams, "bytewax": bytewax}[peer](
        os.environ["KAFKA_BOOTSTRAP_SERVERS"], f"{prefix}usage.events", f"{prefix}usage.rated"
    )
