"""What every look does with an incident that it follows: names its keys, words it, renews or ends it."""

from collections.abc import Iterable, Sequence
from dataclasses import Field, replace
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

from services.alerts.incidents.incident import Incident, is_due, resolved
from services.alerts.incidents.snoozing import told_again
from services.alerts.incidents.store import Store
from services.alerts.incidents.words import Wording, key_ids

AnyWording = TypeVar("AnyWording", bound=Wording)


class Proposing(Protocol):
    """What is seen of a tenant at one moment, and what is news of it: a frozen dataclass, pure."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def now(self) -> datetime:
        """When it was seen."""

    @property
    def wording(self) -> Wording:
        """How the kind is told."""

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, and those to tell again, given what is known."""


class KindLook(Proposing, Protocol):
    """What one kind of incident sees, from its beginning to its end."""

    def ending(self, incident: Incident) -> str:
        """Why one of the kind is over; '' = it is not."""

    def renewed(self, incident: Incident) -> Incident:
        """One of the kind with the figures of now."""


async def tell(store: Store, tenant: str, look: Proposing, current: Sequence[Incident]) -> None:
    """Open what is news, and tell again what has grown. It is asked again under the tenant's lock: what
    another worker opened meanwhile counts as open."""
    if proposed := look.proposals(current):
        worded = replace(look, wording=await named(store, look.wording, proposed))
        await store.open(tenant, look.now, worded.proposals)


async def follow(store: Store, look: KindLook, incident: Incident) -> None:
    """Renew an open incident when that is due; end it when it is over."""
    ending = look.ending(incident)
    if ending or is_due(incident, look.now):
        await renew(store, look.wording, incident, look.renewed(incident), ending)


async def named(store: Store, wording: AnyWording, incidents: Iterable[Incident]) -> AnyWording:
    """The wording, with the names of the keys that these incidents of one tenant speak of."""
    told = list(incidents)
    unknown = {key for one in told for key in key_ids(one) if key not in one.key_names}
    names = await store.key_names(told[0].tenant, sorted(unknown)) if unknown else {}
    return replace(wording, key_names=names)


async def renew(store: Store, wording: Wording, before: Incident, after: Incident, ending: str) -> None:
    """Put the new figures in, with the words that they deserve; `ending`: why it is over, '' = it is not.
    Money beyond what a snooze was for is a message."""
    after = resolved(after, ending, after.updated_at) if ending else told_again(after, after.updated_at)
    worded = (await named(store, wording, [after])).with_words(after)
    await (store.resolve if ending else store.update)(before, worded)
