"""What a person sees once everything is ready: addresses, and an event of one's own to paste."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

_PAGE = """
  Portal      {portal}        log in with {key}
  API docs    {api}/docs
  Ingest      {ingest}/api/v1/events
  Data, logs  {home}/data, {home}/logs

Send an event of your own, from a shell or from Python, and see its receipt:

{curl}

{python}
"""

_CURL = """\
id=hello-$(date +%s)
curl -fsS {ingest}/api/v1/events -H 'Authorization: Bearer {key}' \\
  -H 'Content-Type: application/cloudevents+json' -d '{{"specversion":"1.0","type":"spendmeter.usage.v1",\
"source":"shell","id":"'$id'","subject":"hello","data":{{"provider":"openai","sku":"gpt-4o",\
"usage":{{"input_tokens":2000,"output_tokens":500}},"labels":{{"team":"hello"}}}}}}'
curl -fsS -H 'Authorization: Bearer {key}' "{api}/v1/events?source=shell&id=$id&wait=30s" """

_PYTHON = """\
python3 - <<'END'
import http.client, json, time; ingest, api = map(http.client.HTTPConnection, \
("{ingest_address}", "{api_address}"))
headers = {{"Authorization": "Bearer {key}", "Content-Type": "application/cloudevents+json"}}
event = {{"specversion": "1.0", "type": "spendmeter.usage.v1", "source": "python", \
"id": f"hello-{{time.time()}}", "subject": "hello", \
"data": {{"provider": "openai", "sku": "gpt-4o", "usage": {{"input_tokens": 2000}}}}}}
ingest.request("POST", "/api/v1/events", json.dumps(event), headers); \
print(ingest.getresponse().status)
api.request("GET", "/v1/events?wait=30s&pretty=true&source=python&id=" + event["id"], headers=headers); \
print(api.getresponse().read().decode())
END"""


def welcome(environment: Mapping[str, str], *, home: str) -> str:
    """The page, with this system's addresses and its demo key in every line that can be pasted."""
    facts = {
        "portal": environment["SPENDMETER_PORTAL_URL"],
        "api": environment["SPENDMETER_API_URL"],
        "ingest": environment["SPENDMETER_INGEST_URL"],
        "api_address": urlsplit(environment["SPENDMETER_API_URL"]).netloc,
        "ingest_address": urlsplit(environment["SPENDMETER_INGEST_URL"]).netloc,
        "key": environment["SPENDMETER_API_KEY"],
    }
    return _PAGE.format(
        **facts, home=home, curl=_CURL.format(**facts).rstrip(), python=_PYTHON.format(**facts)
    )
