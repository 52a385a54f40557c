"""A real bill through the whole system: in to the last digit, once, restated, and found right by `verify`."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pyarrow
import pytest
from pyarrow import parquet

from tests.charges import charge_body
from tests.flow.system import System, eventually, usage_event

_NEAR = [folder / "shared/data/focus/focus_1.0_sample.csv" for folder in Path(__file__).parents]
SAMPLE = next((path for path in _NEAR if path.exists()), _NEAR[0])
COSTS = {"list": "ListCost", "contracted": "ContractedCost", "effective": "EffectiveCost"}
MONTH = {"from": "2024-09-01", "to": "2024-10-01", "tz": "UTC"}
pytestmark = pytest.mark.skipif(
    not SAMPLE.exists(), reason="the FOCUS sample (../shared/data/focus) is not here"
)


def bill() -> list[dict[str, str]]:
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def written(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def by_service(rows: list[dict[str, str]]) -> dict[tuple[str, str, str], Decimal]:
    """By category, currency and column: added up by nobody's code but this."""
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        for name, column in COSTS.items():
            said = row[column] if row[column] != "NULL" else row["EffectiveCost"]
            sums[row["ServiceCategory"], row["BillingCurrency"], name] += Decimal(said)
    return dict(sums)


class Importer:
    """A tenant of its own, with a key that imports and corrects."""

    def __init__(self, system: System, tenant: str, *scopes: str) -> None:
        self.system, self.tenant = system, tenant
        wanted = [part for scope in scopes or ("import", "correct") for part in ("--scope", scope)]
        self.key = system.cli("keys", "create", tenant, "--create-tenant", *wanted).stdout.split()[-1]
        self.headers = {"Authorization": f"Bearer {self.key}", "Cache-Control": "no-cache"}
        eventually("the api knows the key", self.is_known)

    def is_known(self) -> bool:
        """Whether the api is there, and knows the key."""
        try:
            return self.get("/v1/imports", check=False).status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str, *, check: bool = True, **query: Any) -> httpx.Response:
        answer = httpx.get(self.system.api + path, params=query, headers=self.headers, timeout=30)
        return answer.raise_for_status() if check else answer

    def post(self, body: bytes, **query: Any) -> httpx.Response:
        url = self.system.api + "/v1/imports/focus"
        return httpx.post(url, params=query, content=body, headers=self.headers, timeout=60)

    def imported(self, body: bytes, **query: Any) -> Any:
        begun = self.post(body, **query)
        assert begun.status_code == 202, begun.text
        place = begun.headers["location"]
        done: Any = eventually(
            "the import is over", lambda: (found := self.get(place).json())["state"] != "running" and found
        )
        assert done["state"] == "done", done["why"]
        return done

    def spent(self) -> dict[tuple[str, str, str], Decimal]:
        """As `by_service`, by what the api says: the category is mapped to the label feature."""
        answer = self.get("/v1/spend", **MONTH, group_by="feature", bucket="month", limit="50").json()
        return {
            (row["feature"], answer["currency"], name): Decimal(row[name])
            for row in answer["totals"]
            for name in COSTS
        }


@pytest.fixture(scope="module")
def importer(system: System) -> Importer:
    return Importer(system, "bills")


MAPPED = {"map": ["feature=ServiceCategory", "team=tag:business_unit", "project=SubAccountName"]}


def test_a_bill_is_in_the_book_to_the_last_digit_credits_too(importer: Importer) -> None:
    rows = bill()
    assert sum(row["EffectiveCost"].startswith("-") for row in rows) == 13
    done = importer.imported(SAMPLE.read_bytes(), file="focus_1.0_sample.csv", **MAPPED)
    assert (done["rows"], done["new"], done["bad"], done["held"]) == (1000, 1000, 0, 0)
    said = {
        (each["service_category"], each["currency"], name): Decimal(each[name])
        for each in done["sums"]
        for name in COSTS
    }
    assert said == by_service(rows)
    eventually("the book says so", lambda: importer.spent() == by_service(rows))
    answer = importer.get("/v1/spend", **MONTH, bucket="month").json()
    assert answer["totals"][0]["events"] == 1000


def test_the_same_bill_again_changes_nothing(importer: Importer) -> None:
    before = importer.spent()
    again = importer.imported(SAMPLE.read_bytes(), **MAPPED)
    assert (again["same"], again["new"], again["amended"]) == (1000, 0, 0)
    assert importer.spent() == before


def test_the_same_bill_as_parquet_of_several_files_changes_nothing(
    importer: Importer, tmp_path: Path
) -> None:
    table = pyarrow.Table.from_pylist([_typed(row) for row in bill()])
    for number, part in enumerate((table.slice(0, 400), table.slice(400))):
        parquet.write_table(part, tmp_path / f"{number}.parquet")
    before, system = importer.spent(), importer.system
    system.environment["SPENDMETER_IMPORT_KEY"] = importer.key
    mapped = [part for each in MAPPED["map"] for part in ("--map", each)]
    done = system.cli("import", "focus", *sorted(tmp_path.glob("*.parquet")), *mapped, "--json")
    said = json.loads(done.stdout)
    assert (said["same"], said["new"], said["amended"]) == (1000, 0, 0)
    assert "floating-point" in said["notes"][-1]["note"] or "floating-point" in said["notes"][0]["note"]
    assert importer.spent() == before


def _typed(row: dict[str, str]) -> dict[str, Any]:
    """As clouds write Parquet: amounts as floating-point numbers, times as such, nothing as null."""
    typed: dict[str, Any] = {name: None if value == "NULL" else value for name, value in row.items()}
    for name in ("BilledCost", *COSTS.values()):
        typed[name] = None if typed[name] is None else float(typed[name])
    for name in ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"):
        typed[name] = datetime.fromisoformat(typed[name])
    return typed


def test_a_receipt_shows_what_the_bill_says(importer: Importer) -> None:
    credit = next(row for row in bill() if row["ChargeCategory"] == "Credit")
    query = {
        "from": "2024-09-24",
        "to": "2024-09-25",
        "limit": "200",
        "filter.feature": credit["ServiceCategory"],
    }
    found = importer.get("/v1/events", **query).json()["events"]
    (event,) = [each for each in found if each["effective"] == "-3"]
    receipt = importer.get("/v1/events", source=event["source"], id=event["id"]).json()
    assert receipt["summary"] == "booked: -3 USD, reported"
    (entry,) = receipt["entries"]
    assert (entry["naming"], entry["arithmetic"]) == ([], "-3 = -3 USD")
    (line,) = entry["lines"]
    assert (line["unit"], line["book_list"], line["book_contracted"], line["book_effective"]) == (
        "charge", "-2.6137", "-3", "-3",
    )  # fmt: skip
    assert receipt["event"]["data"]["charge"]["billed"] == "-2.6137"


def test_a_restated_row_changes_the_book_by_the_difference(importer: Importer) -> None:
    rows = bill()
    credit = next(row for row in rows if row["ChargeCategory"] == "Credit")
    credit |= {"BilledCost": "-2", "ListCost": "-2", "ContractedCost": "-2.5", "EffectiveCost": "-2.5"}
    done = importer.imported(written(rows), **MAPPED)
    assert (done["same"], done["amended"], done["new"]) == (999, 1, 0)
    # the effective cost was -3: the book grows by 0.5
    eventually("the difference is booked", lambda: importer.spent() == by_service(rows))


def test_only_a_complete_bill_takes_away_what_it_lacks_and_what_comes_back_is_booked_again(
    importer: Importer,
) -> None:
    rows = bill()
    azure = [row for row in rows if row["InvoiceIssuerName"] == "Microsoft"]
    other_issuer = [row for row in rows if row["InvoiceIssuerName"] == "Oracle"]
    kept = [row for row in rows if row not in (*azure[:6], *other_issuer)]
    part = importer.imported(written(kept), **MAPPED)
    assert (part["amended"], part["retracted"]) == (1, 0), "the credit is as it was; nothing else is said"
    shown = importer.imported(written(kept), complete=True, dry_run=True, **MAPPED)
    assert (shown["same"], shown["retracted"]) == (1000 - 6 - 7, 6), "and nothing is done"
    whole = importer.imported(written(kept), complete=True, **MAPPED)
    assert (whole["same"], whole["retracted"]) == (1000 - 6 - 7, 6), (
        "of the other issuer there is no bill in it"
    )
    in_force = [*kept, *other_issuer]
    eventually("they are retracted", lambda: importer.spent() == by_service(in_force))
    back = importer.imported(written(rows), **MAPPED)
    assert (back["same"], back["returned"]) == (994, 6)
    eventually("they are back", lambda: importer.spent() == by_service(rows))


@pytest.fixture(scope="module")
def small(system: System) -> Importer:
    """Of another tenant, that has metered a call of a model that Bedrock serves."""
    importer = Importer(system, "badbills")
    key = system.cli("keys", "create", "badbills", "--scope", "ingest").stdout.split()[-1]
    event = usage_event("call-1", source="bot")
    event["data"] |= {"provider": "aws.bedrock"}
    url, headers = f"{system.ingest}/api/v1/events", {"Authorization": f"Bearer {key}"}
    eventually(
        "the call is taken",
        lambda: httpx.post(url, json=event, headers=headers, timeout=30).status_code == 204,
    )
    eventually(
        "the call is booked",
        lambda: importer.get("/v1/events", source="bot", id="call-1", check=False).status_code == 200,
    )
    return importer


def test_a_bad_row_is_said_by_its_line_and_the_rest_goes_in(small: Importer, tmp_path: Path) -> None:
    rows = bill()[:20]
    rows[3]["EffectiveCost"] = "1,5"
    rows[7]["ChargePeriodStart"] = "yesterday"
    (file := tmp_path / "2024-09.csv").write_bytes(written(rows))
    small.system.environment["SPENDMETER_IMPORT_KEY"] = small.key
    done = small.system.cli(
        "import", "focus", file, "--complete", "--map", "team=tag:application", check=False
    )
    assert done.returncode == 1
    assert "20 rows: 18 new, 2 bad; nothing was retracted" in done.stdout
    assert "bad: line 5: EffectiveCost must be a number" in done.stdout
    assert "bad: line 9: ChargePeriodStart must be a date and time" in done.stdout
    assert "1,5" not in done.stdout + done.stderr
    listed = small.get("/v1/imports").json()["imports"][0]
    assert (listed["file"], listed["rows"], listed["new"], listed["bad"]) == ("2024-09.csv", 20, 18, 2)
    assert listed["author"].startswith("key k")


def test_rows_of_what_the_tenant_meters_are_held_back_with_their_sum(small: Importer) -> None:
    rows = [row | {"ServiceName": "Amazon Bedrock", "EffectiveCost": "0.25"} for row in bill()[:4]]
    held = small.imported(written(rows), dry_run=True)
    assert (held["new"], held["held"]) == (0, 4)
    (group,) = held["held_back"]
    # 4 x 0.25
    assert (group["rule"], group["rows"], group["effective"]) == ("bedrock", 4, "1")
    assert held["sums"] == []
    in_the_book = small.imported(written(rows), not_metered="bedrock")
    assert (in_the_book["new"], in_the_book["held"]) == (4, 0)


def test_only_a_key_that_imports_sends_bills_and_it_sends_nothing_else(small: Importer) -> None:
    system = small.system
    ordinary = {"Authorization": f"Bearer {system.keys['acme']}"}
    refused = httpx.post(f"{system.api}/v1/imports/focus", content=b"x", headers=ordinary, timeout=30)
    assert (refused.status_code, "scope import" in refused.json()["detail"]) == (403, True)
    sent = system.send(charge_body() | {"tenant": "acme"})
    assert (sent.status_code, "'import'" in sent.json()["detail"]) == (403, True)
    usage = httpx.post(
        f"{system.ingest}/api/v1/events",
        json=usage_event("x", source="bot"),
        headers=small.headers,
        timeout=30,
    )
    assert (usage.status_code, "no usage" in usage.json()["detail"]) == (403, True)
    both = system.cli("keys", "create", "acme", "--scope", "import", "--scope", "ingest", check=False)
    assert both.returncode == 1


def test_what_ingest_refused_is_mended_and_imported_again_by_a_key_that_may_correct_nothing(
    system: System,
) -> None:
    importer = Importer(system, "mendedbills", "import")
    rows = bill()[:3]
    nameless = [rows[0] | {"ProviderName": "\u200b", "EffectiveCost": "7"}, *rows[1:]]
    bad = importer.imported(written(nameless), **MAPPED)
    assert (bad["new"], bad["bad"], bad["bad_rows"][0]["place"]) == (2, 1, "line 2")
    mended = importer.imported(written(rows), **MAPPED)
    assert (mended["same"], mended["new"], mended["left"]) == (2, 1, 0)
    eventually("the book says so", lambda: importer.spent() == by_service(rows))


async def test_an_import_whose_api_is_killed_is_ended_by_running_it_again(
    system: System, owner: asyncpg.Connection
) -> None:
    importer = Importer(system, "killedbills")
    rows = [row | {"ResourceId": f"{row['ResourceId']}/{n}"} for n in range(6) for row in bill()]
    begun = importer.post(written(rows), **MAPPED)
    place = begun.headers["location"]
    eventually("some of it is told", lambda: importer.get(place).json()["rows"] >= 800, every_s=0.02)
    system.kill("api")
    eventually("the api is there again", importer.is_known)
    broken = importer.get(place).json()
    assert (broken["state"], broken["rows"] < 6000) == ("running", True)
    assert importer.post(written(rows), **MAPPED).status_code == 409, "it may be under way elsewhere"
    await owner.execute("UPDATE imports SET seen_at = seen_at - interval '1 minute' WHERE state = 'running'")
    assert importer.get(place).json()["state"] == "interrupted"
    again = importer.imported(written(rows), **MAPPED)
    assert (again["rows"], again["bad"], again["new"] + again["same"]) == (6000, 0, 6000)
    assert again["same"] >= 800
    eventually("all of it is booked once", lambda: importer.spent() == by_service(rows))
