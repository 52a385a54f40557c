"""What a person sees once everything is ready: addresses, and an event of one's own to paste."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit


def welcome(environment: Mapping[str, str], *, home: str) -> str:
    """welcome.txt, with this system's addresses and its demo key in every line that can be pasted."""
    ingest, api = environment["SPENDMETER_INGEST_URL"], environment["SPENDMETER_API_URL"]
    facts = {
        "portal": environment["SPENDMETER_PORTAL_URL"],
        "api": api,
        "ingest": ingest,
        "api_address": urlsplit(api).netloc,
        "ingest_address": urlsplit(ingest).netloc,
        "key": environment["SPENDMETER_API_KEY"],
        "home": home,
    }
    page = Path(__file__).with_name("welcome.txt").read_text("utf-8")
    for name, value in facts.items():
        page = page.replace(f"{{{name}}}", value)
    return page
