"""How a true-up stands in the book: as an entry of a period, and of no event. Pure.

Its seq is -2: even, for it adds, and below every event's. Only its effective amount is not zero.
"""

import re
from datetime import date

SEQ = -2
SOURCE = "spendmeter/true-ups"
"""Of its receipt. An event may say the same, and has another identity."""
TYPE = "spendmeter.true_up.v1"
"""Of what stands in its event's place."""
SKU = "true-up"
"""Of its series: every view shows what periods change beside what was used."""
UNIT = "true-up"
"""Of its line."""
_ID = re.compile(r"([a-z0-9]{1,64})/(\d{4}-\d{2}-\d{2})/(\d{1,9})\Z", re.ASCII)


def receipt_id(term: str, start: date, revision: int) -> str:
    """Under which it is asked for, with SOURCE."""
    return f"{term}/{start.isoformat()}/{revision}"


def read_receipt_id(text: str) -> tuple[str, date, int] | None:
    """(term, first day of the period, revision); None = it is no true-up's."""
    if (found := _ID.match(text)) is None:
        return None
    try:
        return found[1], date.fromisoformat(found[2]), int(found[3])
    except ValueError:
        return None
