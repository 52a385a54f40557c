"""Gives a SCRAM user its password by asking a controller: for data that was formatted before there was one.

The request is Kafka's AlterUserScramCredentials (KIP-554), which aiokafka does not have.
"""

import hashlib
import secrets

from aiokafka.conn import create_conn
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from spendmeter.platform.kafka_access import KafkaAccess

SCRAM_SHA_512 = 2
ITERATIONS = 4096


async def give_password(controller: KafkaAccess, user: str, password: str) -> None:
    """Let `user` log in with `password` by SCRAM-SHA-512. Raises KafkaError when the controller refuses."""
    host, _, port = controller.servers.rpartition(":")
    options = controller.options()
    del options["bootstrap_servers"]
    connection = await create_conn(host, int(port), **options)
    try:
        response = await connection.send(_AlterRequest(user, password))
    finally:
        connection.close()
    for _, code, message, _ in response.results:
        if code:
            raise for_code(code)(f"Kafka did not take the password of {user}: {message}")


_TEXT, _TAGS = CompactString("utf-8"), ("tags", TaggedFields)


class _AlterResponse(Response):
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", CompactArray(("user", _TEXT), ("error_code", Int16), ("error_message", _TEXT), _TAGS)),
        _TAGS,
    )


_PASSWORD = (
    ("name", _TEXT),
    ("mechanism", Int8),
    ("iterations", Int32),
    ("salt", CompactBytes),
    ("salted_password", CompactBytes),
)


class _AlterStruct(RequestStruct):
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", _TEXT), ("mechanism", Int8), _TAGS)),
        ("upsertions", CompactArray(*_PASSWORD, _TAGS)),
        _TAGS,
    )


class _AlterRequest(Request[_AlterStruct]):
    API_KEY = 51

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def build(self, request_struct_class: type[_AlterStruct]) -> _AlterStruct:
        salt = secrets.token_bytes(32)
        salted = hashlib.pbkdf2_hmac("sha512", self._password.encode(), salt, ITERATIONS)
        return request_struct_class([], [(self._user, SCRAM_SHA_512, ITERATIONS, salt, salted, {})], {})
