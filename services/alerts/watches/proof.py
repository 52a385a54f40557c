"""Looks at what the reconciler says of the book, and tells each tenant whose amounts are not proved."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from services.alerts.incidents.incident import open_of
from services.alerts.proof.proof import PROOF, BookProof, ProofLook, ProofWording
from services.alerts.watches.look import Look, Rhythm
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "proof" / "proof.sql")


class ProofWatch(Look):
    """A `Look` at the proof of the book; it remembers nothing."""

    of = "proof"
    rhythm = Rhythm(woken=False)  # no total tells of it

    async def look(self, now: datetime) -> None:
        """Open what is news, renew what goes on, end what is over."""
        rows = await self.rows(SQL["proof"])
        if not rows:
            return  # no reconciler ever looked
        proof = BookProof(**rows[0])
        ours = [
            each
            for each in open_of("silence", await self.shared.store.current(self.tenant, now))
            if each.rule_id.startswith(PROOF)
        ]
        if not ours and not proof.troubles(now):
            return
        look = ProofLook(tenant=self.tenant, now=now, proof=proof, wording=self.words(ProofWording, now))
        await self.act(look, ours, ours)
        self.evaluated("proof")
