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
    """A `Look` at the proof of the book; it remembers since when it looks."""

    of = "proof"
    rhythm = Rhythm(woken=False)  # no total tells of it
    _listens_since: datetime | None = None

    async def look(self, now: datetime) -> None:
        """Open what is news, renew what goes on, end what is over."""
        since = self._listens_since = self._listens_since or now
        rows = await self.rows(SQL["proof"])
        if not rows:
            return  # no reconciler ever looked
        proof = BookProof(**rows[0])
        ours = [
            each
            for each in open_of("silence", await self.shared.store.current(self.tenant, now))
            if each.rule_id.startswith(PROOF)
        ]
        if not ours and not proof.troubles(now, since):
            return
        wording = self.words(ProofWording, now)
        look = ProofLook(tenant=self.tenant, now=now, listens_since=since, proof=proof, wording=wording)
        await self.act(look, ours, ours)
        self.evaluated("proof")
