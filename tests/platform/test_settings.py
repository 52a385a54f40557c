"""What a process refuses of its environment."""

from __future__ import annotations

import pytest

from spendmeter.platform.settings import Settings


@pytest.mark.parametrize("second", ["https://a.test/list", "https://A.test/list/", "https://a.test/list#b"])
def test_two_price_lists_of_one_address_are_refused(second: str) -> None:
    settings = Settings(catalog_sources=f"one=https://a.test/list,two={second}")
    with pytest.raises(ValueError, match="'two' has the address of 'one': name it once"):
        _ = settings.sources


def test_two_price_lists_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'one' has two addresses: name it once"):
        _ = Settings(catalog_sources="one=https://a.test/list, one =https://b.test/list").sources
