"""What a process reads from its environment, once, at start. Everything below receives it as an argument."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One process's settings; every name is the environment variable (`SPENDMETER_` plus the field's name,
    but for the two that the whole field knows: KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL)."""

    model_config = SettingsConfigDict(env_prefix="SPENDMETER_", frozen=True, populate_by_name=True)

    kafka_bootstrap_servers: str = Field("127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    database_url: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1:5432/spendmeter"), validation_alias="DATABASE_URL"
    )
    """The URL of this process's own database role (`spendmeter migrate` alone gets the owner's)."""

    topic_prefix: str = ""
    """Put before every topic and consumer group, so that several systems can share a cluster."""
    partitions: int = Field(4, ge=1, le=256)
    """Partitions of the money topics, used when they are created."""
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    """Where this process serves HTTP: its API if it has one, /health, /ready and /metrics always."""
    log_level: str = "INFO"
    trace_ratio: float = Field(0.01, ge=0, le=1)
    """Share of traces sampled where the caller did not decide. Nothing is exported without
    OTEL_EXPORTER_OTLP_ENDPOINT (the OpenTelemetry SDK reads its own variables)."""
    event_age_max_days: int = Field(400, ge=1)
    """The dedupe horizon: an older event is refused."""
    webhook_allow_private: bool = False
    """Lets alert webhooks go to http:// and private addresses (the demo's sink lives on 127.0.0.1)."""


def home() -> Path:
    """Where state lives: SPENDMETER_HOME, else .spendmeter in the clone."""
    chosen = os.environ.get("SPENDMETER_HOME")
    return Path(chosen).resolve() if chosen else Path(__file__).resolve().parents[2] / ".spendmeter"
