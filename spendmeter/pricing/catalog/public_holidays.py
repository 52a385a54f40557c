"""A country's public holidays as dates: what `country`, `subdivision` and `years` of a calendar table mean.

They are looked up when the file is read, and the entry holds the dates: what was recorded does not change
with the package that knew them. Only who reads such a file waits for it to load (half a second).
"""

from datetime import date
from importlib.metadata import version
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from spendmeter.pricing.conditions import CatalogError

YEARS_MAX = 20
"""Further ahead no holiday that is declared year by year is known."""

_Year = Annotated[int, Meta(ge=1950, le=2100)]


class HolidayTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a calendar table that are looked up."""

    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
    """ISO 3166: CN, DE, US."""
    subdivision: Annotated[str, Meta(max_length=16)] = ""
    """A state or province, where its holidays are others."""
    years: Annotated[tuple[_Year, ...], Meta(min_length=1, max_length=YEARS_MAX)]


FIELDS = HolidayTable.__struct_fields__


def with_dates(table: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """The calendar table with its country's holidays among its own. Raises msgspec.ValidationError, or
    CatalogError for a place that is not known."""
    asked = {name: table[name] for name in FIELDS if name in table}
    if not asked:
        return table
    place = msgspec.convert(asked, HolidayTable, strict=strict)
    own = msgspec.convert(table.get("holidays", ()), tuple[str, ...])
    dates, package = _look_up(place)
    where = " ".join(filter(None, (place.country, place.subdivision)))
    years = ", ".join(map(str, sorted(place.years)))
    found = {
        "note": f"public holidays of {where} in {years}: {package}",
        "holidays": sorted({*own, *map(date.isoformat, dates)}),
    }
    return found | {name: value for name, value in table.items() if name not in (*FIELDS, "holidays")}


def _look_up(place: HolidayTable) -> tuple[list[date], str]:
    """The dates, and by which package."""
    import holidays

    try:
        found = holidays.country_holidays(place.country, subdiv=place.subdivision or None, years=place.years)
    except NotImplementedError:
        where = f"{place.country} {place.subdivision}".strip()
        raise CatalogError(f"nothing is known of the public holidays of {where!r}") from None
    return list(found), f"holidays {version('holidays')}"
