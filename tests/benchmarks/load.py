"""A load generator: cheap, for it shares the machine with what it measures, and honest.

    python -m tests.benchmarks.load --ingest URL --keys FILE --rate 10000 --seconds 60 --seed 1 --out sent.jsonl

FILE holds a JSON object of tenant to API key; the first `--tenants` of them send. What an event says follows
from the seed and its number: 10 models of 5 providers, with caching; each team has one feature, so there are
tenants x teams x models series. Every `1 / --duplicates`-th event repeats an earlier one to the byte. With
`--late-days 30` they come late and in no order: each is of some second of the 30 days that ended yesterday. With
`--provider x` all models are sold by x.

A request that gets 503, another 5xx or no answer is sent again as it was, until it is accepted or refused, or
`--patience` seconds have passed: then its outcome is unknown. SIGTERM ends the load as its time does: what is
under way gets its answer.

`--out` gets one JSON object per submitted event (so a repeated event has several), in the form that
`spendmeter verify --submissions` reads; a name ending in .gz is compressed, `--log none` writes nothing:

    {"id", "time", "outcome": "accepted" | "refused" | "unknown", "tenant", "source", "provider", "sku",
     "usage": {unit: quantity}, "labels": {...}}

The last line of the output is one JSON object: events by outcome, rate, latency from when a request was due
(at `--rate max`: sent) to its final answer, and the generator's own CPU microseconds an event.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import signal
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, Any
from urllib.parse import urlsplit

import httptools
import uvloop

MODELS = (
    ("openai", "gpt-4o"), ("openai", "gpt-4.1-mini"), ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-haiku-4-5"),
    ("google", "gemini-2.5-pro"), ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-large"), ("mistral", "mistral-small-latest"),
    ("x-ai", "grok-4.3"),
)  # fmt: skip
CACHE_WRITES, NO_CACHE = {"anthropic"}, {"mistral-large"}
FEATURES = ("assistant", "search", "summaries", "triage", "extraction")
SOURCE = "load"
SAID_DIFFERENTLY = 2048
"""How many different things the events of one tenant say before they repeat themselves under new ids."""
YESTERDAY = timedelta(days=1)
LATE_STEP_S = 999_983
"""Between two late events; a prime, so that they fall into every second before they meet one again."""
ANSWER_S_MAX = 20.0
RETRY_S = 0.25


def main() -> None:
    options = parsed()
    keys: dict[str, str] = json.loads(Path(options.keys).read_text())
    with ExitStack() as stack:
        log = stack.enter_context(opened(options.out)) if options.log == "full" else None
        senders = [Sender(tenant, key, options) for tenant, key in list(keys.items())[: options.tenants]]
        print(json.dumps(uvloop.run(Load(options, senders, log).run())), flush=True)


def opened(path: str) -> Any:
    """The log, for writing; gzip'd when its name says so."""
    return gzip.open(path, "wb", 1) if path.endswith(".gz") else open(path, "wb")  # noqa: PTH123


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ingest", required=True, help="http://HOST:PORT")
    parser.add_argument("--keys", required=True)
    parser.add_argument("--rate", default="1000", help="events a second, or max")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="submissions.jsonl")
    parser.add_argument("--log", choices=("full", "none"), default="full")
    parser.add_argument("--tenants", type=int, default=3)
    parser.add_argument("--teams", type=int, default=20)
    parser.add_argument("--models", type=int, default=len(MODELS))
    parser.add_argument("--provider", default="")
    parser.add_argument("--late-days", type=float, default=0)
    parser.add_argument("--duplicates", type=float, default=0.01)
    parser.add_argument("--request-events", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--patience", type=float, default=120)
    return parser.parse_args()


class Sender:
    """One tenant's events, rendered ahead as far as possible: an event is an id, a time and a ready tail."""

    def __init__(self, tenant: str, key: str, options: argparse.Namespace) -> None:
        self.tenant = tenant
        url = urlsplit(options.ingest)
        self._head = (
            f"POST /api/v1/events HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/cloudevents-batch+json\r\nContent-Length: "
        ).encode()
        self._prefix = f"{SOURCE}-{options.seed}-{tenant}-".encode()
        self._number = 0
        self._repeat_every = round(1 / options.duplicates) if options.duplicates else 0
        self._earlier: deque[tuple[bytes, bytes]] = deque(maxlen=64)
        self._late_s = round(options.late_days * 86_400)
        said = list(self._said(Random(f"{options.seed} {tenant}"), options))
        self._tails = [tail for tail, _ in said]
        self._log_tails = [tail for _, tail in said]

    def _said(self, random: Random, options: argparse.Namespace) -> Iterator[tuple[bytes, bytes]]:
        for _ in range(SAID_DIFFERENTLY):
            team = random.randrange(options.teams)
            provider, sku = MODELS[random.randrange(options.models)]
            data = {
                "provider": options.provider or provider,
                "sku": sku,
                "usage": usage(random, provider, sku),
                "labels": {
                    "team": f"team-{team:02}",
                    "project": f"project-{team % 7}",
                    "feature": FEATURES[team % len(FEATURES)],
                    "environment": "prod",
                },
            }
            event = {
                "specversion": "1.0",
                "type": "spendmeter.usage.v1",
                "source": SOURCE,
                "subject": f"{self.tenant}/{SOURCE}",
                "data": data | {"performance": {"latency_ms": random.randrange(100, 20_000), "status": "ok"}},
            }
            line = {"tenant": self.tenant, "source": SOURCE} | data
            yield _tail(event), _tail(line) + b"\n"

    def request(self, events: int) -> Request:
        """The next request, complete with its head."""
        now, rendered, lines = datetime.now(UTC), [], []
        at = _written(now)
        for _ in range(events):
            number = self._number = self._number + 1
            if self._repeat_every and number % self._repeat_every == 0 and self._earlier:
                event, line = self._earlier[number % len(self._earlier)]
            else:
                if self._late_s:
                    at = _written(now - YESTERDAY - timedelta(seconds=number * LATE_STEP_S % self._late_s))
                start = b'{"id":"%b%d","time":"%b",' % (self._prefix, number, at)
                place = number * 7919 % SAID_DIFFERENTLY
                event, line = start + self._tails[place], start + b'"outcome":"%b",' + self._log_tails[place]
            rendered.append(event)
            lines.append(line)
        self._earlier.append((rendered[0], lines[0]))
        body = b"[" + b",".join(rendered) + b"]"
        return Request(self._head + b"%d\r\n\r\n" % len(body) + body, b"".join(lines), events)


def _written(at: datetime) -> bytes:
    return at.isoformat(timespec="milliseconds")[:-6].encode() + b"Z"


def usage(random: Random, provider: str, sku: str) -> dict[str, int]:
    """Token counts as chat and agent traffic has them: many short prompts, some long, mostly cached ones."""
    prompt, found = int(random.lognormvariate(7.2, 1.0)) + 1, {}
    if random.random() < 0.6 and sku not in NO_CACHE:
        found["cache_read_tokens"] = min(100_000, prompt * random.randrange(2, 20))
        if provider in CACHE_WRITES:
            found["cache_write_5m_tokens"] = prompt // 2
    return {
        "input_tokens": min(50_000, prompt),
        **found,
        "output_tokens": min(8_000, int(random.lognormvariate(5.3, 0.9)) + 1),
    }


def _tail(value: dict[str, Any]) -> bytes:
    """A JSON object without its opening brace; '%' doubled where it will be formatted once more."""
    return json.dumps(value, separators=(",", ":")).encode()[1:].replace(b"%", b"%%")


@dataclass(frozen=True)
class Request:
    wire: bytes
    lines: bytes
    """The log's lines, each with a %b for its outcome."""
    events: int


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None

    @property
    def closed(self) -> bool:
        """True once either side has ended it: the server does after a few idle seconds."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed before the answer"))

    async def post(self, wire: bytes) -> int:
        """The answer's status. Raises OSError or TimeoutError; the connection is then of no more use."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(wire)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._answer
        except TimeoutError:
            self.close()
            raise

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@dataclass
class Load:
    """Runs the whole thing; `concurrency` workers share one schedule."""

    options: argparse.Namespace
    senders: list[Sender]
    log: IO[bytes] | None
    made: int = 0
    stopped: bool = False
    events: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    latencies_s: array[float] = field(default_factory=lambda: array("d"))

    async def run(self) -> dict[str, Any]:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(self, "stopped", True))
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(self._worker(began) for _ in range(self.options.concurrency)))
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        total = sum(self.events.values())
        ordered = sorted(self.latencies_s)
        return {
            "events": total,
            **{name: self.events[name] for name in ("accepted", "refused", "unknown")},
            "seconds": round(seconds, 3),
            "accepted_per_s": round(self.events["accepted"] / seconds),
            "retried_requests": self.retries,
            **{f"p{p}_ms": round(ordered[len(ordered) * p // 100] * 1e3, 1) for p in (50, 99) if ordered},
            "generator_us_per_event": round(cpu / max(1, total) * 1e6, 2),
        }

    async def _worker(self, began: float) -> None:
        host, port = urlsplit(self.options.ingest).hostname, urlsplit(self.options.ingest).port
        connection: Connection | None = None
        events = self.options.request_events
        pause = 0.0 if self.options.rate == "max" else events / float(self.options.rate)
        while not self.stopped:
            number = self.made
            self.made += 1
            due = began + number * pause if pause else time.monotonic()
            if due - began >= self.options.seconds:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            request = self.senders[number % len(self.senders)].request(events)
            outcome = "unknown"
            while outcome == "unknown" and time.monotonic() - due < self.options.patience:
                try:
                    if connection is None or connection.closed:
                        made = asyncio.get_running_loop().create_connection(Connection, host, port)
                        connection = (await made)[1]
                    status = await connection.post(request.wire)
                    outcome = (
                        "accepted" if status in (200, 204) else "unknown" if status >= 500 else "refused"
                    )
                except (OSError, TimeoutError):
                    connection = None
                if outcome == "unknown":
                    self.retries += 1
                    await asyncio.sleep(RETRY_S)
            self.latencies_s.append(time.monotonic() - due)
            self.events[outcome] += request.events
            if self.log is not None:
                self.log.write(request.lines % ((outcome.encode(),) * request.events))
        if connection is not None:
            connection.close()


if __name__ == "__main__":
    main()
