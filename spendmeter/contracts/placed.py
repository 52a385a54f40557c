"""An error of msgspec for whoever wrote the value: with the field's name, not with msgspec's path. Pure."""

import re

_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_ITEM = re.compile(r"\[(\d+|\.\.\.)\]")


def placed(error: Exception) -> str:
    """What is wrong, after the field in which it is: "scope: Expected `str`, got `int`". Numbers of list
    items are left out: the words say what they are of."""
    text = str(error)
    found = _PLACE.search(text)
    if found is None:
        return text
    path, wrong = _ITEM.sub("", found["path"]).strip("."), text[: found.start()]
    return f"{path}: {wrong}" if path else wrong
