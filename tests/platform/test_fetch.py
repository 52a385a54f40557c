"""What a file that cannot be had says."""

from __future__ import annotations

import pytest

from spendmeter.platform.fetch import FetchError, FileFetcher
from tests.api.price_server import price_server


async def test_a_server_that_speaks_no_tls_is_said_in_the_words_of_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number of such an error is 1, which of the system's means "Operation not permitted"."""
    monkeypatch.setattr("spendmeter.platform.fetch.RETRY_S", 0.01)
    fetcher = FileFetcher(bytes_max=1000, seconds_max=5, allow_private=True, unless="x")
    with price_server() as server, pytest.raises(FetchError, match=r"cannot be reached: .*(SSL|ssl)") as said:
        await fetcher.fetch(server.url.replace("http:", "https:") + "/list.json")
    assert said.value.away
    assert "not permitted" not in str(said.value)
