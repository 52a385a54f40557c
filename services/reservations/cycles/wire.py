"""What a client of Cycles sends, as its protocol has it. Pure."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Key = Annotated[str, Meta(min_length=1, max_length=256)]
Level = Annotated[str, Meta(max_length=128)]
Json = dict[str, Any]
OveragePolicy = Literal["REJECT", "ALLOW_IF_AVAILABLE", "ALLOW_WITH_OVERDRAFT"]
CyclesUnit = Literal["USD_MICROCENTS", "TOKENS", "CREDITS", "RISK_POINTS"]


class CyclesAmount(Struct, frozen=True, forbid_unknown_fields=True):
    """So many of a unit; a microcent is a hundred-millionth of a dollar."""

    unit: CyclesUnit
    amount: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class CyclesSubject(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whose spend it is; '' = not said."""

    tenant: Level = ""
    workspace: Level = ""
    app: Level = ""
    workflow: Level = ""
    agent: Level = ""
    toolset: Level = ""
    dimensions: Annotated[dict[str, Annotated[str, Meta(max_length=256)]], Meta(max_length=16)] = {}


class CyclesAction(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be done: "llm.completion", "openai:gpt-5"."""

    kind: Annotated[str, Meta(max_length=64)]
    name: Annotated[str, Meta(max_length=256)]
    tags: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=10)] = ()


class CyclesDecide(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/decide`."""

    idempotency_key: Key
    subject: CyclesSubject
    action: CyclesAction
    estimate: CyclesAmount
    metadata: Json = {}


class CyclesCreate(CyclesDecide, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations`."""

    ttl_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = 60_000
    grace_period_ms: Annotated[int, Meta(ge=0, le=60_000)] = 5_000
    overage_policy: OveragePolicy = "ALLOW_IF_AVAILABLE"
    dry_run: bool = False


class CyclesCommit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations/{id}/commit`."""

    idempotency_key: Key
    actual: CyclesAmount
    metrics: Json = {}
    metadata: Json = {}


class CyclesRelease(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations/{id}/release`."""

    idempotency_key: Key
    reason: Annotated[str, Meta(max_length=256)] = ""


class CyclesExtend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations/{id}/extend`."""

    idempotency_key: Key
    extend_by_ms: Annotated[int, Meta(ge=1, le=86_400_000)]
    metadata: Json = {}


class CyclesEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/events`: what was spent without a reservation, or after it had run out."""

    idempotency_key: Key
    subject: CyclesSubject
    action: CyclesAction
    actual: CyclesAmount
    overage_policy: OveragePolicy = "ALLOW_IF_AVAILABLE"
    metrics: Json = {}
    client_time_ms: int | None = None
    metadata: Json = {}


class CyclesFault(Exception):
    """`code` is the protocol's word for what is wrong; `status` its HTTP status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code
