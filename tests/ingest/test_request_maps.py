"""Whose a request's items are: who may choose, and by what."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from services.ingest.credentials import NumberedMaps, Snapshot
from services.ingest.refused import RequestRefused
from services.ingest.request_maps import acting_for, maps_for
from spendmeter.contracts.label_maps import OPERATORS, TenantMaps
from tests.ingest.test_accept import credential


def numbered(attribute: str, label: str, **values: str) -> NumberedMaps:
    rule = {"attribute": attribute, "label": label, "values": values}
    return NumberedMaps(number=1, maps=msgspec.convert({"labels": [rule]}, TenantMaps))


def snapshot(**maps: NumberedMaps) -> Snapshot:
    stored = {OPERATORS: maps.pop("operators")} | maps if "operators" in maps else maps
    return Snapshot(
        credentials={}, pseudonym_keys={}, tenants=frozenset({"acme", "globex"}), read_at=0, maps=stored
    )


def refused(by: Any, chosen: str) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        acting_for(by, chosen, snapshot())
    return caught.value


def test_only_an_operators_key_chooses_a_tenant_and_only_one_that_there_is() -> None:
    operator, acme = credential(tenant=""), credential()
    assert acting_for(operator, "globex", snapshot()) == replace(operator, tenant="globex")
    assert acting_for(operator, None, snapshot()) is operator
    assert acting_for(acme, "acme", snapshot()) is acme
    for by, chosen in ((acme, "globex"), (acme, "nobody-secret"), (operator, "nobody-secret")):
        error = refused(by, chosen)
        assert error.status is HTTPStatus.FORBIDDEN
        assert "secret" not in error.detail


def test_what_an_operator_sends_is_whose_the_process_says_by_the_operators_map() -> None:
    known = snapshot(
        operators=numbered("service.namespace", "tenant", shop="acme"), acme=numbered("team.id", "team")
    )
    maps = maps_for(credential(tenant=""), known)
    assert maps.attributes == {"service.namespace", "team.id"}
    tenant, of_acme = maps.of({"service.namespace": "shop"})
    assert (tenant, of_acme.labels_of({}, {"team.id": "search"})) == ("acme", {"team": "search"})
    assert maps.of({"service.namespace": "other"})[0] == ""


def test_a_tenants_key_sends_its_own_whatever_the_process_says() -> None:
    known = snapshot(operators=numbered("service.namespace", "tenant"), globex=numbered("team.id", "team"))
    maps = maps_for(credential(), known)
    assert maps.attributes == frozenset()
    assert maps.of({"service.namespace": "globex"})[0] == "acme"
    assert maps.of({})[1].labels_of({}, {"team.id": "search"}) == {}
