"""What HTTP ingest answers, and what is on the topic afterwards: real Kafka, real Postgres."""
from tests.ingest.harness import *

async def test_an_acknowledged_event_is_on_the_topic(door):
    answer = door.post(event("first"))
    print(answer.text)
    assert answer.status_code == 204
    found = await records_of(door.kafka, door.topic)
    print(found)
