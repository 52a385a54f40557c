"""How a Kafka is reached: its addresses, and who we are there. One value, passed down to every client."""

from __future__ import annotations

from collections.abc import Mapping
from ssl import create_default_context
from typing import Any, Literal, get_args

import msgspec

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]

VARIABLES = {
    "servers": "KAFKA_BOOTSTRAP_SERVERS",
    "security_protocol": "KAFKA_SECURITY_PROTOCOL",
    "mechanism": "KAFKA_SASL_MECHANISM",
    "username": "KAFKA_SASL_USERNAME",
    "password": "KAFKA_SASL_PASSWORD",
    "ca_file": "KAFKA_SSL_CAFILE",
}
"""Field to variable."""


class KafkaAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster, and the user that the clients of this process are. `username` counts with SASL_*, `ca_file`
    (PEM; '' = the system's authorities) with SSL and SASL_SSL."""

    servers: str
    """HOST:PORT, several with commas."""
    security_protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = ""
    ca_file: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> KafkaAccess:
        """What `environment()` wrote, or people set by the same names. ValueError names a bad variable."""
        stated = {field: environment[name] for field, name in VARIABLES.items() if environment.get(name)}
        for field, known in (
            ("security_protocol", get_args(SecurityProtocol)),
            ("mechanism", get_args(Mechanism)),
        ):
            if stated.get(field, known[0]) not in known:
                raise ValueError(f"{VARIABLES[field]} is {stated[field]!r}; it is one of {', '.join(known)}")
        return cls(**{"servers": "", **stated})  # type: ignore[arg-type]  # held against the known ones above

    def environment(self) -> dict[str, str]:
        """The variables that tell another process. All of them, so that none of an outer one is left."""
        return {name: getattr(self, field) for field, name in VARIABLES.items()}

    def options(self) -> dict[str, Any]:
        """The keyword arguments of aiokafka's clients."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = create_default_context(cafile=self.ca_file or None)
        return options

    def __repr__(self) -> str:
        return f"KafkaAccess({self.servers!r}, {self.security_protocol}, username={self.username!r})"
