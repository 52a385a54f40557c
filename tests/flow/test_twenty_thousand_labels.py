"""A tenant with more label values than anybody reads keeps its answers, on the whole system."""

from __future__ import annotations

from decimal import Decimal

from tests.flow.system import System, eventually, usage_event

LABELS = 20_000
BATCH = 1_000
PRICE = Decimal("0.0035")
"""usage_event: 1,000 x 0.0000025 + 100 x 0.00001 USD."""
WITHIN_S = 300


def test_twenty_thousand_label_values_sent_through_ingest_are_the_largest_and_the_others(
    second: System,
) -> None:
    for first in range(0, LABELS, BATCH):
        events = [
            usage_event(f"e{n}", source="labels", labels={"workflow": f"wf-{n}", "team": "many"})
            for n in range(first, first + BATCH)
        ]
        assert second.send(*events).status_code == 204
    dearest = usage_event("dearest", source="labels", usage={"input_tokens": 10_000_000},
                          labels={"workflow": "the-dear-one", "team": "many"})  # fmt: skip
    assert second.send(dearest).status_code == 204
    question = {"range": "last_24_hours", "group_by": "workflow", "filter.team": "many", "top": "10"}
    events = LABELS + 1

    def booked() -> dict[str, object]:
        answer: dict[str, object] = second.get("/v1/spend", **question)
        found = sum(row["events"] for row in answer["totals"])  # type: ignore[attr-defined]
        return answer if found == events else {}

    answer = eventually("every event is booked", booked, WITHIN_S, every_s=1)
    totals = answer["totals"]
    assert isinstance(totals, list)
    assert (totals[0]["workflow"], totals[0]["effective"]) == ("the-dear-one", "25")  # 10^7 x 0.0000025
    assert (totals[-1]["workflow"], totals[-1]["others"]) == (None, LABELS - 9)
    assert Decimal(totals[-1]["effective"]) == (LABELS - 9) * PRICE
    assert sum(Decimal(row["effective"]) for row in totals) == 25 + LABELS * PRICE
    empty = second.get(
        "/v1/spend", **{"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:01:00Z", "group_by": "workflow"}
    )
    assert empty["totals"] == []
    series = second.get("/v1/spend", **question, bucket="hour", usage="false", limit="5000")["series"]
    assert sum(Decimal(row["effective"]) for row in series) == 25 + LABELS * PRICE
