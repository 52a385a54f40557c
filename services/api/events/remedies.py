"""What to do about what was not booked, and what a `supersedes` came to, in words. Pure."""

from collections.abc import Sequence

from services.api.events.models import Successor, Superseded, SupersededStatus

_NOTHING = "nothing: another event was booked instead"
_AMENDED = "nothing: it says more of the same use, and what is booked was amended to say so"
_REMEDIES = {
    "duplicate": "nothing: it is in the book once",
    "conflict": "compare what was sent with the receipt of what is booked; if it is another use, send it "
    "under an id of its own with `supersedes` naming this one; if the booked one is wrong, correct or "
    "retract that",
    "rejected": "put right what the reason names and send it again: under the same id, or under a new one "
    "with `supersedes` naming this one",
    "stray": "find out who beside rating writes to usage.rated, and take that right away",
}
_RETRACTED = (
    "where it should count, send it under a new id with `supersedes` naming this one: its id stays taken"
)
_NAMELESS = (
    "it names no id that could be read, so nothing can name it: ask whoever wrote it to the topic (the list "
    "says where), and send the use as a new event"
)


def remedy(outcome: str, reason: str, id: str, *, resolved: bool, amended: bool = False) -> str:
    """What to do first about one that was not booked; `amended`: what is booked, by this one."""
    if resolved:
        return _AMENDED if amended else _NOTHING
    if "was retracted on" in reason:  # the ledger's words, of a copy that says the same too
        return _RETRACTED
    return _REMEDIES[outcome] if id or outcome != "rejected" else _NAMELESS


def became(source: str, id: str, seq: int | None, outcome: str | None) -> Superseded:
    """What the submission that an event supersedes had become; `seq`: of its last entry, None = not booked;
    `outcome`: of the last copy that was not."""
    status: SupersededStatus
    if seq is not None and seq % 2:
        status = "retracted"
    elif seq is not None and outcome != "conflict":
        status = "booked"
    else:
        status = "conflict" if outcome == "conflict" else "rejected" if outcome else "unknown"
    return Superseded(source=source, id=id, status=status, says=_SAYS[status])


def with_links(summary: str, supersedes: Superseded | None, instead: Sequence[Successor]) -> str:
    """A receipt's summary, and what it says of the events that it is linked to."""
    if supersedes is not None:
        summary += f"; supersedes {supersedes.source}/{supersedes.id}: {supersedes.says}"
    if instead:
        summary += f"; {', '.join(f'{each.source}/{each.id}' for each in instead)} was booked instead"
    return summary


_SAYS = {
    "retracted": "it was retracted: this one counts in its place",
    "rejected": "it was not booked: this one counts in its place",
    "conflict": "another event has that id and counts too: retract that one if it should not",
    "booked": "it is in the book too, so both count: retract that one if it should not",
    "unknown": "nothing is known of it: look at its spelling, and whether it is on its way",
}
