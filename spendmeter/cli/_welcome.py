"""What a person sees once everything is ready: addresses, and an event of one's own to paste."""

from __future__ import annotations

from collections.abc import Mapping

_PAGE = """
  Portal      {portal}        (log in with {key})
  API docs    {api}/docs
  Ingest      {ingest}/api/v1/events
  Data, logs  {home}

An event of your own, from a shell:

{curl}

and from Python:

{python}
"""

_CURL = """\
id=hello-$(date +%s)
curl -fsS {ingest}/api/v1/events -H 'Authorization: Bearer {key}' \\
  -H 'Content-Type: application/cloudevents+json' -d '{{"specversion":"1.0","type":"spendmeter.usage.v1",\
"source":"shell","id":"'$id'","subject":"acme/hello","data":{{"provider":"openai","sku":"gpt-4o",\
"usage":{{"input_tokens":2000,"output_tokens":500}},"labels":{{"team":"hello"}}}}}}'
until curl -fsS -H 'Authorization: Bearer {key}' "{api}/v1/events?source=shell&id=$id" | grep '"booked"'
do sleep 0.2; done"""

_PYTHON = """\
import json, time, urllib.request as u
call = lambda url, **more: u.urlopen(u.Request(url, headers={{"Authorization": "Bearer {key}", \
"Content-Type": "application/cloudevents+json"}}, **more)).read().decode()
event = dict(specversion="1.0", type="spendmeter.usage.v1", source="python", id=f"hello-{{time.time()}}", \
subject="acme/hello", data=dict(provider="openai", sku="gpt-4o", usage=dict(input_tokens=2000)))
call("{ingest}/api/v1/events", data=json.dumps(event).encode()); time.sleep(1)
print(call("{api}/v1/events?source=python&id=" + event["id"]))"""


def welcome(environment: Mapping[str, str], *, home: str) -> str:
    """The page, with this system's addresses and its demo key in every line that can be pasted."""
    facts = {
        "portal": environment["SPENDMETER_PORTAL_URL"],
        "api": environment["SPENDMETER_API_URL"],
        "ingest": environment["SPENDMETER_INGEST_URL"],
        "key": environment["SPENDMETER_API_KEY"],
    }
    return _PAGE.format(
        **facts, home=home, curl=_CURL.format(**facts), python=_PYTHON.format(**facts)
    ).rstrip()
