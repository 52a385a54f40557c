"""Nothing is lost that was reported as sent, and nothing is counted twice, while the server is killed."""

from __future__ import annotations

from pathlib import Path

from spendmeter.platform.kafka_access import KafkaAccess
from tests.client.outage import outage


async def test_what_is_sent_while_the_server_is_killed_is_there_once(
    kafka_access: KafkaAccess, owner_url: str, tmp_path: Path
) -> None:
    found = await outage(kafka_access, owner_url, tmp_path, records=5000, kills=2)
    assert (found.recorded_good, found.recorded_bad) == (4950, 50)
    assert (found.lost, found.strange) == (0, 0)
    assert found.stats.sent == found.identities_on_topic == 4950
    assert found.stats.dropped_by == {"refused": 50}
    assert {drop.why for drop in found.drops} == {"refused"}
    assert all(drop.reason.startswith("data.usage.prompt_tokens: ") for drop in found.drops)
    assert sum(drop.count for drop in found.drops) == 50
