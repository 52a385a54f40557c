"""What a spreadsheet must not run, in every CSV of ours. Pure."""

_UNSAFE = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a text begins that a spreadsheet would run as a formula; the last four are the first in full width."""


def unrun(text: str) -> str:
    """The text; where a spreadsheet would run it, after an apostrophe."""
    return f"'{text}" if text.startswith(_UNSAFE) else text
