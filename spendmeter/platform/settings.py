"""What a process reads from its environment, once, at start. Everything below receives it as an argument."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from spendmeter.platform.kafka_access import KafkaAccess

LOCAL_HOSTS = "localhost,127.0.0.1,[::1]"
DEFAULT_KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}


class Settings(BaseSettings):
    """One process's settings; every name is the environment variable (`SPENDMETER_` plus the field's name,
    but for those that the whole field knows: KAFKA_* and DATABASE_URL)."""

    model_config = SettingsConfigDict(
        env_prefix="SPENDMETER_", frozen=True, populate_by_name=True, arbitrary_types_allowed=True
    )

    kafka: KafkaAccess = Field(default_factory=lambda: KafkaAccess.of(DEFAULT_KAFKA | os.environ))
    """How this process reaches Kafka: the variables KAFKA_* (spendmeter/platform/kafka_access.py)."""
    database_url: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1:5432/spendmeter"), validation_alias="DATABASE_URL"
    )
    """The URL of this process's own database role (`spendmeter migrate` alone gets the owner's)."""

    team_database_url: SecretStr = SecretStr("")
    """The same as the role that sees one team alone, for api; '' = viewers of one team are shown nothing."""

    topic_prefix: str = ""
    """Put before every topic and consumer group, so that several systems can share a cluster."""
    partitions: int = Field(4, ge=1, le=256)
    """Partitions of the money topics, used when they are created."""
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    """Where this process serves HTTP: its API if it has one, /health, /ready and /metrics always."""
    hosts: str = LOCAL_HOSTS
    """The host names that HTTP requests may ask for, with commas between; `*` = any, for behind a proxy that
    checks. A web page whose own name was re-bound to our address is told nothing. Any IP address will do for
    /health, /ready and /metrics."""
    cors_origins: str = ""
    """Origins whose pages may ask api from a browser with a key of their own, with commas between, such as
    https://finance.example.org; none by default. Cookies are never taken from another origin."""
    issuers: SecretStr = SecretStr("")
    """Whose tokens say who a person is, and of which tenant: a JSON list of {"tenant", "issuer", "audience",
    "client_secret"} (`spendmeter/platform/trusted_issuers.py`); '' = people log in with keys alone."""
    issuers_allow_private: bool = False
    """Lets issuers be http:// and private addresses, such as one of an organisation's own network."""
    log_level: str = "INFO"
    trace_ratio: float = Field(0.01, ge=0, le=1)
    """Share of traces sampled where the caller did not decide. Nothing is exported without
    OTEL_EXPORTER_OTLP_ENDPOINT (the OpenTelemetry SDK reads its own variables)."""
    region: str = Field("", pattern=r"^[a-z0-9-]{0,32}$")
    """Where this system is: it takes usage of tenants that are pinned to no region, or to this one."""
    key_requests_per_minute: int = Field(200_000, ge=1)
    key_events_per_minute: int = Field(3_000_000, ge=1)
    """What one key may send to one process of ingest, unless the key says otherwise of its events."""
    event_age_max_days: int = Field(400, ge=1)
    """The dedupe horizon: an older event is refused."""
    ingest_url: str = ""
    """Where ingest is, for what accrues and for the portal's form that sends an event again; '' = nothing
    accrues here, and the form says what to type instead."""
    accrual_key: SecretStr = SecretStr("")
    """The key that api sends with what accrues by the hour (`spendmeter/platform/service_keys.py`); '' = this
    process sends none."""
    minutes_kept_days: int = Field(35, ge=32)
    """How long what was spent is known by the minute; what is older, by the hour. Whatever looks at minutes
    goes back 30 days at most."""
    portal_url: str = ""
    """Where people open the portal, for the links in incidents; '' = they have none."""
    webhook_allow_private: bool = False
    """Lets alert webhooks go to http:// and private addresses (the demo's sink lives on 127.0.0.1)."""
    catalog_sources: str = (
        "genai-prices=https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json,"
        "litellm=https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json,"
        "openrouter=https://openrouter.ai/api/v1/models"
    )
    """Where `spendmeter catalog pull` finds the public price lists: SOURCE=ADDRESS, with commas between."""
    catalog_pull_hours: int = Field(0, ge=0, le=24 * 30)
    """How often api pulls them by itself; 0 = never. One process of several does."""
    rerate_on_approval: Literal["offer", "start"] = "offer"
    """What becomes of events that waited for a price that is approved: a re-rate is offered, or begins."""
    catalog_pull_allow_private: bool = False
    """Lets a pull go to http:// and private addresses, such as a mirror of one's own."""

    @property
    def allowed_origins(self) -> list[str]:
        """`cors_origins`, one by one."""
        return [origin.strip().rstrip("/") for origin in self.cors_origins.split(",") if origin.strip()]

    @property
    def sources(self) -> dict[str, str]:
        """`catalog_sources`, by source. Raises ValueError for one without an address, for two of one
        address (a list cannot confirm itself), and for two of one name."""
        named = [each.strip().partition("=") for each in self.catalog_sources.split(",") if each.strip()]
        if wrong := [name for name, _, address in named if not (name and address)]:
            raise ValueError(f"SPENDMETER_CATALOG_SOURCES: {wrong[0]!r} has no address: write SOURCE=ADDRESS")
        places: dict[str, str] = {}
        for name, _, address in named:
            place = address.strip().partition("#")[0].rstrip("/?").lower()
            if other := places.get(place):
                raise ValueError(
                    f"SPENDMETER_CATALOG_SOURCES: {name.strip()!r} has the address of {other!r}: name it once"
                )
            if name.strip() in places.values():
                raise ValueError(
                    f"SPENDMETER_CATALOG_SOURCES: {name.strip()!r} has two addresses: name it once"
                )
            places[place] = name.strip()
        return {name.strip(): address.strip() for name, _, address in named}

    @property
    def host_names(self) -> frozenset[str]:
        """`hosts`, and the bound address unless that means all of them."""
        bound = f"[{self.host}]" if ":" in self.host else self.host
        named = (name.strip().lower() for name in (*self.hosts.split(","), bound))
        return frozenset(named) - {"", "0.0.0.0", "[::]"}  # noqa: S104 (names of no address, to be left out)


def home() -> Path:
    """Where state lives: SPENDMETER_HOME, else .spendmeter in the clone."""
    chosen = os.environ.get("SPENDMETER_HOME")
    return Path(chosen).resolve() if chosen else Path(__file__).resolve().parents[2] / ".spendmeter"
