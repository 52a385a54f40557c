"""A question that is saved, held against what its route may be asked. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from services.api.changes.routes import PARAMETERS as CHANGES
from services.api.http.filters import filters_of
from services.api.http.problems import invalid
from services.api.spend.routes import PARAMETERS as SPEND

ViewPath = Literal["/v1/spend", "/v1/spend/changes"]
_PARAMETERS: Mapping[ViewPath, Sequence[str]] = {"/v1/spend": SPEND, "/v1/spend/changes": CHANGES}
FIELDS_MAX = 200
QUESTION_MAX = 4_000
"""Characters as an address has them: of one letter in a value there may be twelve."""


def checked_question(path: ViewPath, question: str) -> str:
    """The parameters as an address has them, in the order given. Raises HttpRefusal (422) for one that the
    route does not know, and for a page of an answer: what is saved is a question."""
    text = question.removeprefix("?")
    try:
        asked = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=FIELDS_MAX)
    except ValueError:
        example = "range=today&group_by=team"
        raise invalid("question", f"must be what stands after the ? of an address: {example}") from None
    filters_of(asked, [name for name in _PARAMETERS[path] if name != "cursor"])
    question = urlencode(asked)
    if len(question) > QUESTION_MAX:
        raise invalid("question", f"has {len(question):,} characters in an address: at most {QUESTION_MAX:,}")
    return question
