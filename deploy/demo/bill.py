"""What Acme's cloud sends at the end of it all: a bill in FOCUS, a row a day and service. Pure."""

import csv
import io
import random
from datetime import date, timedelta
from decimal import Decimal

TENANT = "acme"
FILE_NAME = "aws-acme.csv"
LABELS = "team=SubAccountName"
"""Where a row says whose it is; nobody's account is named for support."""
CENT = Decimal("0.01")
_SERVICES = (
    ("Amazon Simple Storage Service", "Storage", "data", Decimal("2.10")),
    ("AWS Data Transfer", "Networking", "search", Decimal("1.25")),
    ("Amazon Elastic Compute Cloud", "Compute", "web", Decimal("6.40")),
    ("AWS Support", "Other", "", Decimal("0.95")),
)
"""Name, category, account, and what it costs in a day."""


def bill(first: date, until: date) -> bytes:
    """A row for each service and day in [first, until), in CSV; the same days always cost the same."""
    text = io.StringIO()
    rows = [_row(day, *service) for day in _days(first, until) for service in _SERVICES]
    writer = csv.DictWriter(text, list(_row(first, *_SERVICES[0])))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _days(first: date, until: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((until - first).days)]


def _row(day: date, service: str, category: str, account: str, a_day: Decimal) -> dict[str, str]:
    chance = random.Random(f"{day} {service}")  # noqa: S311 - a made-up bill
    cost = (a_day * chance.randint(85, 115) / 100).quantize(CENT)
    month = day.replace(day=1)
    after = (month + timedelta(days=32)).replace(day=1)
    return {
        "BilledCost": f"{cost}",
        "EffectiveCost": f"{cost}",
        "ListCost": f"{cost}",
        "ContractedCost": f"{cost}",
        "BillingCurrency": "USD",
        "BillingAccountId": "401870001234",
        "BillingPeriodStart": f"{month}T00:00:00Z",
        "BillingPeriodEnd": f"{after}T00:00:00Z",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "InvoiceIssuerName": "AWS",
        "ServiceProviderName": "AWS",
        "ServiceName": service,
        "ServiceCategory": category,
        "SubAccountName": account,
    }
