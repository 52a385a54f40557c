"""Characters that cannot be seen: the gate refuses them in names, a terminal shows their escapes. Pure."""

import re

INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Controls, line breaks, and what Unicode draws as nothing: zero-width, bidirectional, fillers, selectors.
Written out, not asked of `unicodedata`: another release of it must not judge the same log otherwise."""

_HALVES = "\ud800-\udfff"
"""Of surrogate pairs: JSON can state one alone, and no terminal can be sent it."""
_UNSHOWABLE = re.compile(f"[{INVISIBLE.pattern[1:-1]}{_HALVES}]")


def visible(text: str) -> str:
    r"""The text with an escape (`\n`, `\x1b`, `\u202e`) in place of each character that cannot be seen: an id
    or a reason that a stranger chose must not move a terminal's cursor, forge a line, or turn a name around.
    What is visible stays as it is, backslashes too, so it may go through twice."""
    return _UNSHOWABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
