"""How a request's array is split: every element once, undecoded, and no more of them than may be."""

from __future__ import annotations

import tracemalloc

import pytest

from services.ingest.arrays import FEW, SHORT_BYTES, array_of, splitter
from services.ingest.refused import RequestRefused


@pytest.mark.parametrize("count", [0, 1, FEW - 1, FEW, FEW + 1, 100])
@pytest.mark.parametrize("size", [1, SHORT_BYTES])
def test_every_element_is_there_once_in_its_order(count: int, size: int) -> None:
    """On both sides of where few elements, and where short arrays, are split in another way."""
    sent = [b'{"n":%d,"x":"%s"}' % (number, b"x" * size) for number in range(count)]
    assert [bytes(each) for each in array_of(b"[" + b",".join(sent) + b"]", 100)] == sent


def test_one_more_than_may_be_is_seen_and_a_million_take_no_memory() -> None:
    assert len(splitter(3)(b"[1,2,3,4,5]")) == 4
    body = b"[" + b"1," * 1_000_000 + b"1]"
    tracemalloc.start()
    with pytest.raises(RequestRefused, match="at most 1000 events"):
        array_of(body, 1000, "events")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("body", [b"[", b"[1,]", b"{}", b"[" * 100_000, b'["\\ud800"]', b"[NaN]"])
def test_what_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        array_of(body, 10)
    assert caught.value.detail == "the body is no list of elements"
