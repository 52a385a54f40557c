"""Which events go into another accounting period than that of their day, where their rater knew other terms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import Raw

from services.ledger.carrying import may_be_elsewhere, sort_out
from spendmeter.contracts.rated import Origin, RatedUsage
from spendmeter.contracts.terms import Terms, Timeline

SEPTEMBER, NOVEMBER, DECEMBER = date(2026, 9, 1), date(2026, 11, 1), date(2026, 12, 1)
IN_NEW_YORK = {"acme": Timeline([(None, Terms(zone=ZoneInfo("America/New_York")))])}
EDGE = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
"""November still in New York; December by the terms of old, in UTC."""


def rated(time: datetime, period: date | None) -> RatedUsage:
    return RatedUsage(
        origin=Origin(topic="t", partition=0, offset=0), prev=-1, identity="00" * 16, hash="00" * 16, tenant="acme",
        series_id="00" * 16, series=Raw(b"{}"), time=time, status="priced", catalog_version=1, currency="USD",
        list="1", contracted="1", effective="1", usage={}, event=Raw(b"{}"), lines=Raw(b"[]"), accounting_period=period,
    )  # fmt: skip


@pytest.mark.parametrize("last_shut", [SEPTEMBER, None])
def test_an_event_of_an_open_month_that_its_rater_put_by_old_terms_is_carried(last_shut: date | None) -> None:
    event, shut = rated(EDGE, DECEMBER), {"acme": last_shut}
    assert may_be_elsewhere(event, shut)
    carrying = sort_out([event], shut, IN_NEW_YORK)
    assert carrying.carried == {DECEMBER: [event]}
    assert carrying.moved == {}


def test_an_event_amid_an_open_month_is_asked_nothing_of() -> None:
    amid = datetime(2026, 11, 20, tzinfo=UTC)
    assert not may_be_elsewhere(rated(amid, NOVEMBER), {"acme": SEPTEMBER})
    assert not may_be_elsewhere(rated(amid, NOVEMBER), {"acme": None})
    assert may_be_elsewhere(rated(amid, NOVEMBER), {"acme": NOVEMBER})


@pytest.mark.parametrize("other", [{}, {"globex": NOVEMBER}])
def test_of_who_never_closed_a_period_nothing_is_asked(other: dict[str, Any]) -> None:
    assert not may_be_elsewhere(rated(EDGE, DECEMBER), other)
