"""What `apprise_sender.py` runs in a process of its own: `python -m` this module, a request as JSON on stdin.

Apprise opens its own connections, and its plugins read files that a URL names. So before it is loaded an
audit hook is set, which stays for good: it connects to public addresses alone, starts no
program, and reads nothing but Python's own files. What is checked is the address that is connected to.
"""

import logging
import os
import re
import sys
from pathlib import Path

import msgspec

from services.alerts.notify.apprise_answer import AppriseAnswer, AppriseRequest
from services.alerts.notify.apprise_text import MAIL_SCHEMAS, mail_headers, title_and_body
from spendmeter.contracts.apprise_urls import schema_of
from spendmeter.contracts.incidents import IncidentEvent
from spendmeter.platform.public_addresses import ForbiddenAddressError, check_address
from spendmeter.platform.webhooks import UNLESS

ERROR_CHARACTERS_MAX = 200
SECRET_CHARACTERS_MIN = 4
"""Shorter parts of a URL are words such as `to`."""
FORBIDDEN = frozenset(
    "os.exec os.fork os.forkpty os.posix_spawn os.system pty.spawn subprocess.Popen".split()
)
FILES = (
    sys.prefix,
    sys.base_prefix,
    *filter(None, sys.path),
    "/etc/mime.types",
    "/usr/share/zoneinfo",
    "/dev/null",
)


class Refusals(list[str]):
    """What the hook has refused: Apprise keeps such errors for itself."""

    def guard(self, *, allow_private: bool) -> None:
        """From now on, and for good."""

        def hook(event: str, args: tuple[object, ...]) -> None:
            if event == "socket.connect":
                self._connect(args[1], allow_private)
            elif event in FORBIDDEN or (event == "open" and not _is_ours(args[0])):
                self.append(f"{event} is not allowed here")
                raise PermissionError(self[-1])

        sys.addaudithook(hook)

    def _connect(self, address: object, allow_private: bool) -> None:
        if not isinstance(address, tuple):
            self.append("a socket of this machine is not allowed here")
            raise PermissionError(self[-1])
        if allow_private:
            return
        try:
            check_address(str(address[0]), unless=UNLESS)
        except ForbiddenAddressError as error:
            self.append(error.strerror or "not a public address")
            raise


class LastWarning(logging.Handler):
    """The last thing that Apprise warned of: why it failed, it tells nobody else."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.last = record.getMessage()


def deliver(request: AppriseRequest, refusals: Refusals) -> AppriseAnswer:
    """One attempt."""
    import apprise  # loaded under the guard

    spoken = LastWarning(logging.WARNING)
    logging.getLogger("apprise").addHandler(spoken)
    asset = apprise.AppriseAsset(
        app_id="Spendmeter", app_desc="Spendmeter", app_url="", allow_templates=False, secure_logging=True,
        storage_mode="memory", http_redirects=False, pgp_autogen=False, pem_autogen=False, async_mode=False,
    )  # fmt: skip
    plugin = apprise.Apprise.instantiate(request.url, asset=asset)
    if plugin is None:
        return AppriseAnswer(
            refused=True, error=without_secrets(request.url, spoken.last) or "Apprise cannot read the URL"
        )
    schema = schema_of(request.url)
    title, body = title_and_body(request.event, schema, plugin.title_maxlen, plugin.body_maxlen)
    if schema in MAIL_SCHEMAS:
        vars(plugin)["headers"] = mail_headers(request.event)
    if plugin.notify(body=body, title=title, notify_type=_type(request.event), body_format="text"):
        return AppriseAnswer(delivered=True)
    if refusals:
        return AppriseAnswer(error=refusals[-1][:ERROR_CHARACTERS_MAX])
    return AppriseAnswer(error=without_secrets(request.url, spoken.last) or "Apprise does not say why")


def without_secrets(url: str, text: str) -> str:
    """Text in which no part of the URL is repeated."""
    parts = {
        part for part in re.split(r"[:/?&=@,]|%[0-9A-Fa-f]{2}", url) if len(part) >= SECRET_CHARACTERS_MIN
    }
    for part in sorted(parts - {schema_of(url)}, key=len, reverse=True):
        text = text.replace(part, "...")
    return " ".join(text.split())[:ERROR_CHARACTERS_MAX]


def _type(event: IncidentEvent) -> str:
    if event.state == "resolved":
        return "success"
    return {"critical": "failure", "warning": "warning", "info": "info"}[event.severity]


def _is_ours(path: object) -> bool:
    if not isinstance(path, str | bytes):
        return True  # a descriptor that is open already
    text = os.path.realpath(os.fsdecode(path))
    return any(Path(text).is_relative_to(os.path.realpath(root)) for root in FILES)


def main() -> None:
    """Read the request, deliver, write the answer."""
    os.environ["HOME"] = "/nonexistent"  # no .netrc, no configuration of whoever runs us
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=AppriseRequest)
    refusals = Refusals()
    refusals.guard(allow_private=request.allow_private)
    sys.stdout.buffer.write(msgspec.json.encode(deliver(request, refusals)))


if __name__ == "__main__":
    main()
