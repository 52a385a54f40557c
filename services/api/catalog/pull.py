"""A pull: other people's price lists are fetched, read, judged by the policy, proposed, and recorded.

What the policy approves (`spendmeter/pricing/proposals/pulled.py`) is a proposal of its own, approved at
once; everything else waits for a person. The re-rates of what had waited for it are offered, or begun, as
after an approval by a person.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import msgspec

from services.api.access.auth import Caller
from services.api.catalog.access import CatalogAccess
from services.api.catalog.approve import Approval, approve
from services.api.catalog.propose import NothingToPropose, ProposedFile, open_proposal, store_proposal
from services.api.catalog.pull_files import PulledFile, PullFiles, SourceFile
from services.api.catalog.rerate_offer import RerateOffer, start
from services.api.catalog.sql import SQL
from services.api.corrections.asking import CorrectorAccess
from services.api.database.shares import AllBusy, TooMuch
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import until_done
from spendmeter.platform.telemetry import log
from spendmeter.pricing.proposals.pulled import POLICY, PulledModel, PullPolicy, without_a_price

CATALOG_SOURCE = "genai-prices"
"""Whose list is the public catalog: all of it is proposed. Of the others' what is used and has no price."""
NEW_MODELS = "new models of pull"
"""How the name begins of what the policy lets pass."""
RUNS_MAX = timedelta(minutes=15)
"""A pull that has not ended by then has died."""
STOPPING_S_MAX = 5.0
"""For writing down what was done while the process stops."""
BUSY = (TooMuch, AllBusy)
"""Refusals that pass: others ask."""
AWAY = (*BUSY, *CONNECTION_ERRORS)
"""What passes: others' questions, or trouble of the database."""
Trigger = Literal["command", "schedule"]
SCHEDULE = Caller(key_id="schedule", tenant="", operator=True, scopes=("admin",))
"""As whom the schedule proposes."""


class PolicyAccess(CatalogAccess):
    """Approves as the policy, for whoever began the pull."""

    @property
    def key(self) -> str:
        """As the catalog's history says."""
        return f"policy {POLICY}, for {super().key}"


@dataclass(kw_only=True)
class PullOutcome:
    """What a pull has done so far."""

    state: str = "failed"
    says: str = "it broke off: see the log of api"
    files: list[PulledFile] = field(default_factory=list)
    models: list[PulledModel] = field(default_factory=list)
    proposals: list[int] = field(default_factory=list)
    approved: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    rerates: list[RerateOffer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read(self) -> list[dict[str, Any]]:
        """Its files, as they are recorded."""
        return [file.model_dump(mode="json") for file in self.files]

    def report(self) -> dict[str, Any]:
        """As it is recorded."""
        return {
            "policy": POLICY,
            "models": [msgspec.to_builtins(each) for each in self.models],
            "proposals": self.proposals,
            "approved": self.approved,
            "versions": self.versions,
            "rerates": [each.model_dump(mode="json") for each in self.rerates],
            "notes": self.notes,
        }


async def begin(access: CatalogAccess, trigger: Trigger, every: timedelta | None = None) -> int | None:
    """Record that a pull begins; None where one runs, or the schedule had one within `every`."""
    async with access.writing() as connection:
        await connection.execute(SQL["pull_lock"])
        if await connection.fetchrow(SQL["pull_begun"], RUNS_MAX, every):
            return None
        begun: int = await connection.fetchval(SQL["pull_begin"], access.as_tenant, access.key, trigger)
        return begun


async def run(
    access: CatalogAccess, files: PullFiles, id: int, rerates: CorrectorAccess | None = None
) -> None:
    """All of a pull that has begun, and what became of it into its row: also of one that breaks off, for what
    it approved until then is in force, and is taken back by what the row says. `rerates`: of whom re-rates
    are asked; None = they are offered."""
    outcome = PullOutcome()
    try:
        await _pull(access, files, id, outcome, rerates)
    finally:
        stopping = (task := asyncio.current_task()) is not None and task.cancelling()
        async with asyncio.timeout(STOPPING_S_MAX if stopping else RUNS_MAX.total_seconds()):
            await until_done(
                partial(_record_end, access, id, outcome), "the end of a pull is not recorded yet", away=AWAY
            )
        log().info("price lists pulled", pull=id, status=outcome.state)


async def _record_end(access: CatalogAccess, id: int, outcome: PullOutcome) -> None:
    async with access.writing() as connection:
        await connection.execute(
            SQL["pull_end"], id, outcome.state, outcome.says, outcome.read(), outcome.report()
        )


async def _record_so_far(access: CatalogAccess, id: int, outcome: PullOutcome) -> None:
    """Before anything is approved: what a process approved that is killed then is taken back by its row."""
    async with access.writing() as connection:
        await connection.execute(SQL["pull_so_far"], id, outcome.read(), outcome.report())


async def _pull(
    access: CatalogAccess, files: PullFiles, id: int, outcome: PullOutcome, rerates: CorrectorAccess | None
) -> None:
    now = datetime.now(UTC)
    async with access.reading() as connection:
        rows = await connection.fetch(SQL["pull_files"])
    known = {row["f"]["source"]: PulledFile(**row["f"]) for row in rows}
    found = await files.get(known, now)
    outcome.files = [file.said for file in found]
    if lists := _lists(found, outcome):
        await _decide(access, id, lists, outcome, now, rerates)
    outcome.state, outcome.says = _what_became(outcome)


def _lists(found: Sequence[SourceFile], outcome: PullOutcome) -> dict[str, SourceFile]:
    """What was read, by source; the same bytes from two addresses are one list, and confirm nothing."""
    lists: dict[str, SourceFile] = {}
    for file in sorted(found, key=lambda file: file.said.source != CATALOG_SOURCE):
        if file.said.state != "read":
            continue
        same = [each.said.source for each in lists.values() if each.said.sha256 == file.said.sha256]
        if same:
            outcome.notes.append(f"{file.said.source} is the very file of {same[0]}: they count as one list")
        else:
            lists[file.said.source] = file
    return lists


def _what_became(outcome: PullOutcome) -> tuple[str, str]:
    """Of a pull that came to its end."""
    states = {file.state for file in outcome.files}
    if outcome.proposals:
        made, approved = len(outcome.proposals), len(outcome.approved) or "none"
        return "proposed", f"{made} proposal{'s' * (made > 1)}, {approved} approved by the policy"
    if states == {"away"}:
        return "away", "offline: no price list can be reached, and nothing was changed"
    if states & {"away", "refused"}:
        says = "; ".join(file.says for file in outcome.files if file.state in ("away", "refused"))
        return "refused" if "refused" in states else "away", f"nothing was changed: {says}"[:1000]
    if "read" in states:
        return "nothing", "nothing is new"
    return "unchanged", "nothing new: no file has changed since it was pulled last"


async def _decide(
    access: CatalogAccess,
    id: int,
    lists: dict[str, SourceFile],
    outcome: PullOutcome,
    now: datetime,
    rerates: CorrectorAccess | None,
) -> None:
    """Judge and propose: first what the policy lets pass, then the rest beside it."""
    snapshot = await access.books.newest()
    async with access.reading() as connection:
        used = [(row["provider"], row["sku"]) for row in await connection.fetch(SQL["used"])]
    entries = {source: file.entries for source, file in lists.items()}

    def judge() -> tuple[list[PulledModel], list[CatalogEntry], dict[str, list[CatalogEntry]]]:
        policy = PullPolicy(snapshot, used, entries, now)
        wanted = without_a_price(snapshot.book, used)
        models, approved, asked = [], [], {}
        for source in lists:
            judged = policy.judge(source, None if source == CATALOG_SOURCE else wanted)
            models += judged.models
            approved += judged.approved
            wanted -= {(model.provider, model.sku) for model in judged.models}
            if source != CATALOG_SOURCE:
                waiting = [(model.provider, model.sku) for model in judged.models if model.why_not]
                asked[source] = policy.entries(source, waiting)
        return models, approved, asked

    outcome.models, approved, asked = await asyncio.to_thread(judge)
    if approved:
        await _approve(access, id, approved, outcome, rerates)
    if catalog := lists.get(CATALOG_SOURCE):
        await _propose(access, id, catalog, outcome)
    for source, rest in asked.items():
        if rest:
            file = ProposedFile(
                name=_named(lists[source]),
                content=b"",
                entries=rest,
                note=f"pull {id}: models in use that have no price, as {source} has them",
            )
            await _propose_file(access, file, outcome, replaces=f"{source}.")
        else:
            await _replace(access, f"{source}.", f"pull {id}: its newest file has nothing to propose")


async def _approve(
    access: CatalogAccess,
    id: int,
    approved: list[CatalogEntry],
    outcome: PullOutcome,
    rerates: CorrectorAccess | None,
) -> None:
    """A proposal of what the policy lets pass, approved at once unless lint asks for a person."""
    by_policy = PolicyAccess(caller=access.caller, books=access.books, database=access.database)
    models = [model for model in outcome.models if not model.why_not]
    named = ", ".join(f"{m.provider}/{m.sku} ({m.source} and {m.second})" for m in models)
    file = ProposedFile(
        name=f"{NEW_MODELS} {id}", content=b"", entries=approved, note=f"pull {id}: {named}"[:1000]
    )
    made = await _propose_file(by_policy, file, outcome, replaces=NEW_MODELS)
    if made is None:
        return
    hashes = "; ".join(f"{file.source} sha256 {file.sha256}" for file in outcome.files if file.sha256)
    outcome.approved.append(made)  # before it is tried: where the answer is lost, it may be in force
    await _record_so_far(access, id, outcome)
    try:
        done = await approve(by_policy, made, Approval(reason=f"pull {id}, rule {POLICY}: {hashes}"[:1000]))
    except BUSY:
        raise
    except HttpRefusal as refusal:
        outcome.approved.remove(made)
        outcome.notes.append(f"proposal {made} waits for a person: {refusal.detail}")
        return
    offers = done.rerates or []
    if rerates is not None:  # at once: what comes next may break off
        for offer in offers:
            await start(rerates, offer, by_policy.key)
    outcome.rerates += offers
    if done.version is not None:
        outcome.versions.append(done.version)


async def _propose(access: CatalogAccess, id: int, file: SourceFile, outcome: PullOutcome) -> None:
    """The whole list, unless it is open already."""
    name = f"{_named(file)}.json"
    if open_one := await open_proposal(access, name):
        outcome.notes.append(f"proposal {open_one.id} of this very file is open already")
        return
    await _propose_file(
        access,
        ProposedFile(
            name=name,
            content=file.content,
            entries=file.entries,
            not_taken=file.not_taken,
            replace=True,
            note=f"pull {id}: {file.said.url}",
        ),
        outcome,
        replaces=f"{file.said.source}.",
    )


def _named(file: SourceFile) -> str:
    """What a proposal of it is called, which `pull_replaces` knows."""
    return f"{file.said.source}.{file.said.sha256[:12]}"


async def _propose_file(
    access: CatalogAccess, file: ProposedFile, outcome: PullOutcome, *, replaces: str
) -> int | None:
    """Recorded with its money, in place of what earlier pulls proposed under names that begin so and nobody
    has decided; None where it cannot be, or nothing of it is new (then what they proposed is no longer
    said). Raises TooMuch and AllBusy, which pass: the file is tried again."""
    try:
        made = await store_proposal(access, file)
    except BUSY:
        raise
    except HttpRefusal as refusal:
        outcome.notes.append(f"{file.name}: {refusal.detail}"[:1000])
        if isinstance(refusal, NothingToPropose):
            await _replace(access, replaces, f"of the newer file {file.name} nothing is new")
        return None
    assert made.id is not None, "it is recorded"
    outcome.proposals.append(made.id)
    await _replace(access, replaces, f"proposal {made.id} is of a newer file", made.id)
    return made.id


async def _replace(access: CatalogAccess, names: str, why: str, newest: int = 0) -> None:
    """Reject what earlier pulls proposed under names that begin so, but the newest."""
    async with access.writing() as connection:
        await connection.execute(SQL["pull_replaces"], names, access.key, why, newest)
