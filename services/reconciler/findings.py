"""What is wrong with the book, once each, and whose it is. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from spendmeter.verify.report import Report

NAMED_MAX = 1_000
"""Findings of one window or piece; what is beyond is found again once these are seen to."""


@dataclass(frozen=True, kw_only=True)
class ProofFinding:
    """One thing that is wrong; `what` and `named` are verify's words."""

    tenant: str
    """'' = of nobody in particular."""
    invariant: str
    what: str
    named: str
    origin_topic: str | None = None
    """Where it has an offset: of which topic ('' = the corrector's entries), partition and offset."""
    partition: int | None = None
    origin_offset: int | None = None

    @property
    def id(self) -> bytes:
        """The same whenever the same is found."""
        text = "\0".join((self.tenant, self.invariant, self.what, self.named, str(self.origin_topic)))
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def new_report() -> Report:
    """One that names all that a window can have."""
    return Report(named_max=NAMED_MAX)


def findings_of(
    report: Report,
    tenant: str | Callable[[str], str] = "",
    *,
    origin_topic: str | None = None,
    partition: int | None = None,
    origin_offset: int | None = None,
) -> Iterable[ProofFinding]:
    """What a report names. `tenant`: whose it is, or who says so by the name of the row."""
    for invariant, named in report.named.items():
        for each in named:
            yield ProofFinding(
                tenant=tenant if isinstance(tenant, str) else tenant(each.row),
                invariant=invariant,
                what=each.what,
                named=each.row,
                origin_topic=origin_topic,
                partition=partition,
                origin_offset=origin_offset,
            )
