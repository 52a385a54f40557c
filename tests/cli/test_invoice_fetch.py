"""`spendmeter invoice fetch` against a stand-in that answers with the vendors' own typed models, page by page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from cli import _vendor_reports, invoice
from tests.api.vendor_bills import (
    DAY,
    anthropic_cost,
    anthropic_costs,
    openai_costs,
    openai_line,
    openai_usage,
    read_bill,
    usage_rows,
)

NEXT = DAY + timedelta(days=1)
Answer = tuple[int, bytes, dict[str, str]]


class Vendor(ThreadingHTTPServer):
    """Answers a path's pages in turn; what lies in `first` comes before."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.first: list[Answer] = []
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.keys: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str, query: dict[str, list[str]]) -> Answer:
        self.asked.append((path, query))
        if self.first:
            return self.first.pop(0)
        is_second = query.get("page") == ["page-2"]
        content = json.loads(_page(path, query, NEXT if is_second else DAY))
        content |= {"has_more": not is_second, "next_page": None if is_second else "page-2"}
        return 200, json.dumps(content, indent=1).encode(), {}


def _page(path: str, query: dict[str, list[str]], day: Any) -> bytes:
    if path == "/v1/organization/costs":
        grouped = [
            openai_line("m, input", 6.000000000000001, 2_000_000),
            openai_line("m, output", 15, 1_000_000),
        ]
        return openai_costs({day: grouped if "group_by" in query else [openai_line(None, 21)]})
    if path == "/v1/organization/usage/completions":
        return openai_usage({day: [{"model": "m", "input_tokens": 2_000_000, "output_tokens": 1_000_000}]})
    if path == "/v1/organizations/cost_report":
        of_model = anthropic_cost("600", model="m", token_type="uncached_input_tokens")
        return anthropic_costs(
            {day: [of_model] * 100 if "group_by[]" in query else [anthropic_cost("70000")]}
        )
    assert path == "/v1/organizations/usage_report/messages", path
    return usage_rows({day: [(2_000_000, 1_000_000, {"model": "m", "service_tier": "standard"})]})


class _Handler(BaseHTTPRequestHandler):
    server: Vendor

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.keys.add(self.headers["Authorization"] or self.headers["x-api-key"])
        status, content, headers = self.server.answer(url.path, parse_qs(url.query))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin")
    monkeypatch.setenv("ANTHROPIC_ADMIN_API_KEY", "sk-ant-admin")
    with Vendor() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(vendor: Vendor, into: Path, provider: str = "openai", code: int = 0) -> str:
    days = ["--since", str(DAY), "--until", str(NEXT + timedelta(days=1))]
    arguments = ["fetch", "--provider", provider, *days, "--into", str(into), "--url", vendor.url]
    result = CliRunner().invoke(invoice.app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_pages_are_followed_into_files_that_an_import_reads_to_the_last_digit(
    vendor: Vendor, tmp_path: Path
) -> None:
    printed = fetch(vendor, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        f"openai-{name}-{DAY}-{NEXT}.json" for name in ("costs", "totals", "usage")
    ]
    assert "invoice import" in printed
    bill = read_bill("openai", b"".join(file.read_bytes() for file in files))
    assert bill.days == tuple((day, kind) for day in (DAY, NEXT) for kind in ("cost", "total", "usage"))
    assert {f"{row.amount:f}" for row in bill.rows if row.kind == "cost"} == {"6.000000000000001", "15.0"}
    assert bill.notes == ()
    assert vendor.keys == {"Bearer sk-admin"}
    # 2026-11-10 and the 12th, in seconds.
    path, query = vendor.asked[0]
    assert (path, query["start_time"], query["end_time"]) == (
        "/v1/organization/costs",
        ["1794268800"],
        ["1794441600"],
    )


def test_a_report_of_groups_that_are_cut_off_comes_with_its_total(vendor: Vendor, tmp_path: Path) -> None:
    fetch(vendor, tmp_path, "anthropic")
    bill = read_bill("anthropic", b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir())))
    assert {kind for _, kind in bill.days} == {"cost", "total", "usage"}
    assert [f"{row.amount:f}" for row in bill.rows if row.kind == "total"] == ["700.00", "700.00"]
    assert "100 groups" in bill.notes[0]
    assert vendor.keys == {"sk-ant-admin"}


def test_what_is_busy_or_breaks_off_within_a_page_is_asked_again(vendor: Vendor, tmp_path: Path) -> None:
    whole = openai_costs({DAY: []})
    vendor.first = [
        (429, b"{}", {"Retry-After": "0"}), (200, whole[:20], {}),
        (200, whole[:20], {"Content-Length": f"{len(whole)}"}), (503, b"", {}),
    ]  # fmt: skip
    fetch(vendor, tmp_path)
    assert len(vendor.asked) == 4 + 3 * 2


def test_what_broke_off_goes_on_behind_the_last_whole_page(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(vendor, tmp_path)
    costs = tmp_path / f"openai-costs-{DAY}-{NEXT}.json"
    whole = costs.read_bytes()
    first = whole.splitlines(keepends=True)[0]
    costs.unlink()
    costs.with_suffix(".part").write_bytes(first + b'{"data": [')
    vendor.asked.clear()
    printed = fetch(vendor, tmp_path)
    assert [query["page"] for _, query in vendor.asked] == [["page-2"]]
    assert costs.read_bytes() == whole
    assert printed.count("was there already") == 2


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        (401, "OPENAI_ADMIN_KEY must be an admin key"),
        (403, "may not read"),
        (400, "It is bad"),
        (429, "too often"),
    ],
)
def test_a_refusal_is_told_with_its_status_and_the_rule(
    vendor: Vendor, tmp_path: Path, status: int, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vendor_reports, "ATTEMPTS_MAX", 2)
    vendor.first = [(status, b'{"error": "It is bad"}', {"Retry-After": "0"})] * 2
    printed = fetch(vendor, tmp_path, code=1)
    assert f"answered {status}" in printed.replace("\n", " ")
    assert rule in " ".join(printed.split())
    assert not list(tmp_path.glob("*.json"))


def test_pages_without_end_are_bounded_and_so_are_those_that_lead_nowhere(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.first = [(200, openai_costs({DAY: []}, more=True), {})]
    assert "not where the next one is" in " ".join(fetch(vendor, tmp_path, code=1).split())
    monkeypatch.setattr(_vendor_reports, "PAGES_MAX", 1)
    assert "more than 1 pages" in " ".join(fetch(vendor, tmp_path, code=1).split())
    monkeypatch.delenv("OPENAI_ADMIN_KEY")
    assert "OPENAI_ADMIN_KEY is not set" in " ".join(fetch(vendor, tmp_path, code=1).split())
