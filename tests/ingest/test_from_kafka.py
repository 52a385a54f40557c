"""Usage on a Kafka of somebody's own: what is to be pasted in docs/decisions/kafka-is-ours.md sends what the door takes."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.local.home import CLONE
from services.ingest.accept import EVENTS_MAX
from services.ingest.app import ENTRANCES
from services.ingest.content_type import media_type_of
from services.ingest.entrances import Incoming
from services.ingest.otlp_traces_entrance import OTLP_TRACES
from services.ingest.own_events import OWN_EVENTS, wants_receipts
from services.ingest.refused import RequestRefused
from tests.ingest.harness import event
from tests.ingest.test_accept import NOW, submission

PAGE = (CLONE / "docs" / "decisions" / "kafka-is-ours.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"```(json|yaml)\n(.*?)```", PAGE, re.DOTALL))
SINK: dict[str, str] = json.loads(BLOCKS["json"])["config"]
GO_ON = dict([part.split(":") for part in re.findall(r'"http.headers.additional": "([^"]+)"', PAGE)])


def sent(*values: str, **headers: str) -> Incoming:
    """As the connector posts records with these values."""
    body = SINK["batch.prefix"] + SINK["batch.separator"].join(values) + SINK["batch.suffix"]
    media_type = media_type_of(SINK["http.headers.content.type"], OWN_EVENTS.media_types)
    return Incoming(
        body=body.encode(), media_type=media_type, headers=headers, query={}, path={}, url=OWN_EVENTS.path, now=NOW,
    )  # fmt: skip


def a_record(id: str, **data: Any) -> str:
    said = event(id)
    return json.dumps(said | {"data": said["data"] | data}, indent=2)


@pytest.mark.parametrize("count", [1, 2, int(SINK["batch.max.size"])])
def test_what_an_http_sink_posts_is_taken_every_record_an_event(count: int) -> None:
    accepted = OWN_EVENTS.read(sent(*map(a_record, map(str, range(count)))), submission())
    assert [each.id for each in accepted.events] == list(map(str, range(count)))


def test_its_settings_are_within_the_doors_bounds_and_connects() -> None:
    assert urlsplit(SINK["http.url"]).path == OWN_EVENTS.path
    assert int(SINK["batch.max.size"]) <= EVENTS_MAX
    # 20 x 5 s = 100 s, of the 300 s after which Connect takes a task's partitions away
    assert int(SINK["max.retries"]) * int(SINK["retry.backoff.ms"]) == 100_000 < 300_000


def test_a_bad_record_holds_up_those_behind_it_or_with_receipts_is_refused_alone() -> None:
    values = a_record("1"), a_record("2", usage={"input_tokens": -1}), a_record("3")
    with pytest.raises(RequestRefused) as refused:
        OWN_EVENTS.read(sent(*values), submission())
    assert [each["index"] for each in refused.value.errors] == [1]
    headers = {name.lower(): value for name, value in GO_ON.items()}
    assert wants_receipts(headers)
    accepted = OWN_EVENTS.read(sent(*values, **headers), submission())
    assert [each.id for each in accepted.events] == ["1", "3"]
    assert [each["index"] for each in accepted.refused] == [1]


def test_lines_which_is_what_it_posts_unless_told_otherwise_are_refused() -> None:
    lines = sent(f"{a_record('1')}\n{a_record('2')}\n")
    with pytest.raises(RequestRefused, match="list of events"):
        OWN_EVENTS.read(lines, submission())


def test_a_collectors_second_configuration_names_what_it_and_the_first_one_have() -> None:
    first = yaml.safe_load((CLONE / "deploy" / "otel" / "collector.yaml").read_text("utf-8"))
    second = yaml.safe_load(BLOCKS["yaml"])
    had = {kind: first[kind] | second.get(kind, {}) for kind in ("receivers", "processors", "exporters")}
    for pipeline in second["service"]["pipelines"].values():
        assert "batch" not in pipeline["processors"], "an offset would be committed for what lies in memory"
        for kind, names in pipeline.items():
            assert set(names) <= had[kind].keys()
        for name in pipeline["exporters"]:
            assert not had["exporters"][name]["sending_queue"]["enabled"]
    plain = first["exporters"]["otlp_http/spendmeter"]
    assert second["exporters"]["otlp_http/from_kafka"] == plain | {"sending_queue": {"enabled": False}}
    assert OTLP_TRACES in ENTRANCES
