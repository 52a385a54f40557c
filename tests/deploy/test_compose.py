"""docker-compose.yml, as far as it can be checked where there is no container engine."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from deploy.docker.environment import environment
from deploy.local.home import CLONE
from deploy.local.services import DATABASE_ROLES, SERVICES, service
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.roles import role_url

TEXT = (CLONE / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load(TEXT)


def test_the_file_is_valid_by_the_compose_specification() -> None:
    package = importlib.util.find_spec("check_jsonschema")  # for its schemas; its code is not run
    assert package is not None and package.origin is not None
    vendored = Path(package.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(vendored.read_text()))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_supervisors_command_and_environment(name: str) -> None:
    supervised = service(
        name,
        port=1,
        kafka=KafkaAccess(servers=""),
        database_url="" if name in DATABASE_ROLES else None,
        topic_prefix="",
        partitions=4,
        demo=False,
    )
    contained = COMPOSE["services"][name]
    assert contained["command"] == ["python", "-m", supervised.module]
    assert set(contained["environment"]) == set(supervised.environment)


def test_every_image_is_pinned_and_ours_is_built() -> None:
    for name, contained in COMPOSE["services"].items():
        assert "build" in contained or re.search(r":\d+\.\d+", contained["image"]), name


def test_nothing_is_published_beyond_the_loopback_address() -> None:
    published = [port for contained in COMPOSE["services"].values() for port in contained.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_environment_file_answers_every_variable_and_gives_each_service_its_own_role() -> None:
    made = environment(postgres_password="p", role_secret="s")
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == set(made)
    assert made["LEDGER_DATABASE_URL"] == role_url(made["OWNER_DATABASE_URL"], "ledger", "s")
    assert COMPOSE["services"]["ledger"]["environment"]["DATABASE_URL"].startswith("${LEDGER_DATABASE_URL")
    holders = [n for n, c in COMPOSE["services"].items() if "SPENDMETER_ROLE_SECRET" in c["environment"]]
    assert holders == ["migrate"]


def test_api_takes_exactly_the_webhooks_that_alerts_delivers_to() -> None:
    for demo in (False, True):
        allowed = [
            service(
                name,
                port=1,
                kafka=KafkaAccess(servers=""),
                database_url="",
                topic_prefix="",
                partitions=4,
                demo=demo,
            ).environment.get("SPENDMETER_WEBHOOK_ALLOW_PRIVATE")
            for name in ("alerts", "api")
        ]
        assert allowed == (["true", "true"] if demo else [None, None])
