"""What a request's content type says of its body."""

from collections.abc import Mapping
from typing import Literal

from services.ingest.refused import unsupported

Form = Literal["one", "many", "either"]
FORMS: Mapping[str, Form] = {
    "application/cloudevents+json": "one",
    "application/cloudevents-batch+json": "many",
    "application/json": "either",
}


def form_of(content_type: str) -> Form:
    """How many events a content type announces. Raises RequestRefused 415."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    form = FORMS.get(media_type)
    if form is None:
        raise unsupported(f"content type {media_type[:80]!r}; this endpoint takes {', '.join(FORMS)}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
            raise unsupported(f"charset {value[:80]!r}; events are UTF-8")
    return form
