"""Figures as people say them."""

_SIZES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def duration(seconds: float) -> str:
    """The two largest units that tell something: "under a second", "41 s", "28 min", "3 h 5 min", "12 d"."""
    if seconds < 1:
        return "under a second"
    seconds = int(seconds)
    for (size, unit), (smaller, below) in zip(_SIZES, (*_SIZES[1:], (1, "s")), strict=True):
        if seconds >= size:
            rest = seconds % size // smaller
            short = seconds < 10 * size and unit != "min" and rest
            return f"{seconds // size} {unit}" + (f" {rest} {below}" if short else "")
    return f"{seconds} s"
