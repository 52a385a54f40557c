"""How far a job is and what it changes, in one line. Pure."""

from services.api.corrections.rerate_models import AmountsChange, JobState, PassProgress
from spendmeter.contracts.money import plain


def says(state: JobState, why: str, preview: PassProgress | None, applied: PassProgress | None) -> str:
    """The line; `why`: what a refusal says, or what the job waits for."""
    match state:
        case "previewing" if preview:
            return f"dry run: {_seen(preview)} seen so far"
        case "previewed" if preview:
            if not preview.changed:
                return f"nothing would change of {preview.seen:,} events{_left(preview)}"
            return f"would change {_changed(preview)}; nothing is changed until it is applied"
        case "applying" if applied:
            rest = _since(applied) + (f"; waits {why}" if why else "")
            return f"applying: {_seen(applied)} gone through, {applied.changed:,} changed{rest}"
        case "applied" if applied:
            what = f"changed {_changed(applied)}" if applied.changed else "nothing changed"
            return what + _since(applied)
        case "cancelled":
            done = applied.changed if applied else 0
            return f"cancelled; {done:,} events were changed before, and stay so" if done else "cancelled"
        case "refused":
            return f"refused: {why}"
    return "accepted; the corrector has not come to it yet"


def change_line(change: AmountsChange) -> str:
    """What events come to before and after."""
    amounts = f"{plain(change.effective_before)} -> {plain(change.effective_after)} {change.currency}"
    return f"{amounts} ({change.difference:+f})" if change.difference else f"{amounts} (the same)"


def _seen(progress: PassProgress) -> str:
    about = "" if progress.about is None else f" of about {progress.about:,}"
    return f"{progress.seen:,}{about} events"


def _changed(progress: PassProgress) -> str:
    amounts = ", ".join(map(change_line, progress.sums))
    events = progress.seen + progress.late
    return f"{progress.changed:,} of {events:,} events: {amounts}{_left(progress)}"


def _since(progress: PassProgress) -> str:
    """Why it is not what the dry run has shown."""
    if not progress.since_dry_run:
        return ""
    changed = f"{progress.since_dry_run_changed:,} of them changed"
    return f"; not in the dry run: {progress.since_dry_run:,} booked or corrected since, {changed}"


def _left(progress: PassProgress) -> str:
    found = []
    if progress.left_alone:
        found.append(f"{progress.left_alone:,} cannot be changed")
    if progress.elsewhere:
        found.append(f"{progress.elsewhere:,} would change for other reasons, and stay")
    return f" ({'; '.join(found)})" if found else ""
