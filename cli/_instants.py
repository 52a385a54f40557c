"""Instants and versions as arguments say them, and an instant as a table shows it."""

from datetime import date

DAY_DIGITS = len("20261101")


def instant(text: str) -> str:
    """A day begins at midnight of UTC, as prices do; anything else is the api's to read."""
    try:
        return f"{date.fromisoformat(text).isoformat()}T00:00:00Z"
    except ValueError:
        return text


def version(text: str) -> str:
    return text if text.isdecimal() and len(text) < DAY_DIGITS else instant(text)


def minute(instant: str) -> str:
    """To the minute, with its offset where that is not UTC's."""
    offset = instant[-len("+01:00") :]
    stated = offset if offset[0] in "+-" and offset[1:] != "00:00" else "Z"
    return f"{instant[:16].replace('T', ' ')}{stated}"
