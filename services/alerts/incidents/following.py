"""What every look does with an incident that it follows: names its keys, words it, renews or ends it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from services.alerts.incidents.incident import Incident, resolved
from services.alerts.incidents.snoozing import told_again
from services.alerts.incidents.store import Store
from services.alerts.incidents.words import Wording, key_ids

AnyWording = TypeVar("AnyWording", bound=Wording)


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
