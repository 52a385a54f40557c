"""Whether the colours of charts stay apart, for people who tell all colours apart and for those who do not."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from services.api.portal.assets import PORTAL

# What is seen of linear red, green and blue (Machado, Oliveira and Fernandes 2009, at full severity).
SIGHTS = {
    "all three cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no red cones": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "no green cones": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881),
    ),
    "no blue cones": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039),
    ),
}  # fmt: skip
APART = 15.0
"""CIE76 in L*a*b*: 2 is just seen side by side; colours of a chart are far from each other."""


def palettes() -> dict[str, list[str]]:
    styles = (PORTAL / "base.css").read_text("utf-8")
    light, dark = styles.split("@media (prefers-color-scheme: dark)", 1)
    found = {name: re.findall(r"--c(?:\d|-other): (#[0-9a-f]{6})", part) for name, part in
             (("light", light), ("dark", dark))}  # fmt: skip
    assert [len(colours) for colours in found.values()] == [9, 9]
    return found


def linear(channel: int) -> float:
    share = channel / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def seen(colour: str, sight: str) -> tuple[float, float, float]:
    """L*, a*, b* of what somebody sees of it."""
    channels = [linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5)]
    red, green, blue = (
        min(1.0, max(0.0, sum(share * each for share, each in zip(row, channels, strict=True))))
        for row in SIGHTS[sight]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    x, y, z = (each ** (1 / 3) if each > 0.008856 else 7.787 * each + 16 / 116 for each in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_colours_of_a_chart_are_never_taken_for_each_other(scheme: str, sight: str) -> None:
    for one, other in itertools.combinations(palettes()[scheme], 2):
        assert math.dist(seen(one, sight), seen(other, sight)) > APART, (one, other)
