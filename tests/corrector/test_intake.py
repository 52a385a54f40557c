"""What is taken of the topic in one transaction."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.corrector.intake import Intake, take_in
from spendmeter.contracts.corrections import (
    CorrectionRequest,
    RerateApply,
    RerateRequest,
    Selection,
    encode_correction,
)
from tests.corrector.written_book import correction

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def job(id: str) -> RerateRequest:
    return RerateRequest(
        id=id, tenant="acme", selection=Selection(), version=1, reason="a test", by="k_1", at=AT, apply=False
    )


def taken(*requests: CorrectionRequest) -> Intake:
    return take_in(0, [(offset, encode_correction(each)) for offset, each in enumerate(requests)])


def test_each_event_and_each_id_comes_once() -> None:
    assert taken(correction("e1"), correction("e2")).position == 2
    assert taken(correction("e1", id="a"), correction("e1", id="b")).position == 1
    assert taken(correction("e1", id="a"), correction("e2", id="a")).position == 1


@pytest.mark.parametrize("first, second", [(correction(id="a"), job("a")), (job("a"), correction(id="a"))])
def test_a_job_and_a_correction_of_one_id_come_one_after_the_other(
    first: CorrectionRequest, second: CorrectionRequest
) -> None:
    assert taken(first, second).position == 1


def test_a_job_is_begun_and_applied_in_one_go_and_each_tenant_has_ids_of_its_own() -> None:
    apply = RerateApply(id="a", tenant="acme", by="k_1", at=AT)
    assert taken(job("a"), apply, correction(id="a", tenant="globex")).position == 3
