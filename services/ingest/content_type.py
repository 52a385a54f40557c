"""What a request's content type says of its body."""

from collections.abc import Collection, Mapping
from typing import Literal

from services.ingest.refused import unsupported

Form = Literal["one", "many", "either"]
FORMS: Mapping[str, Form] = {
    "application/cloudevents+json": "one",
    "application/cloudevents-batch+json": "many",
    "application/json": "either",
}
"""How many events a content type announces."""


BINARY = "ce-specversion"
"""The header that every CloudEvent in binary mode has: its attributes are headers, its data the body."""


def stated_type(headers: Mapping[str, str]) -> str:
    """What a request says its body is. The data of a CloudEvent in binary mode that says nothing is JSON."""
    stated = headers.get("content-type", "")
    return "application/json" if not stated and BINARY in headers else stated


def media_type_of(content_type: str, media_types: Collection[str]) -> str:
    """The media type of a `Content-Type` header, if it is one of those. Raises RequestRefused 415."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if media_type not in media_types:
        raise unsupported(f"of another content type than this endpoint takes: {', '.join(media_types)}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
            raise unsupported("of another charset than UTF-8")
    return media_type
