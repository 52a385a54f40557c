"""Where incidents are told: the settings of a channel, one struct for each kind. Pure.

api takes them and alerts sends by them; both decode them here, so that what one takes the other can use.
Whether an address may be called is `spendmeter/platform/webhooks.py`: here is only what it looks like.
"""

import re
from collections.abc import Collection
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from spendmeter.contracts.apprise_urls import check_apprise_url
from spendmeter.contracts.incidents import IncidentSeverity
from spendmeter.contracts.placed import placed

URL_CHARACTERS_MAX = 2000
LABELS_MAX = 20
LABEL_CHARACTERS_MAX = 200
PAGERDUTY_URL = "https://events.pagerduty.com"
SLACK_URL = "https://slack.com/api"
RESERVED_LABELS = frozenset({"alertname", "incident", "tenant", "severity", "kind"})
"""Of an alert in Alertmanager: we say them, and they make it the same alert over its life."""

PagerDutySeverity = Literal["critical", "error", "warning", "info"]
WebhookFormat = Literal["spendmeter", "google_budget", "google_pubsub"]
"""google_budget: the JSON that Google's budgets publish; google_pubsub: the same as Pub/Sub pushes it, in its
envelope and base64. Both tell of budgets alone."""

_SIGNING_SECRET = re.compile(r"whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_SLACK_TOKEN = re.compile(r"xox[a-z]-[A-Za-z0-9-]{10,250}")
_SLACK_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,20}|#?[^\s<>@#]{1,80}")
_VISIBLE_ASCII = re.compile(r"[\x20-\x7e]*")


class WebhookSettings(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="webhook"
):
    """A POST to `url`, signed with `secret` (`whsec_` and base64) as Standard Webhooks says."""

    SECRETS: ClassVar = ("secret",)
    SENT: ClassVar = ()
    """Of the secrets, what `url` is sent."""

    url: str
    secret: str
    format: WebhookFormat = "spendmeter"

    def __post_init__(self) -> None:
        _check_url("url", self.url)
        _check(_SIGNING_SECRET, self.secret, "secret must be whsec_ and 24 to 64 bytes in base64")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The URLs that are called: whoever takes them checks that they may be."""
        return (self.url,)


class AlertmanagerSettings(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="alertmanager"
):
    """Prometheus' Alertmanager, or what takes its API (Mimir, Grafana): `url` without `/api/v2/alerts`."""

    SECRETS: ClassVar = ("authorization",)
    SENT: ClassVar = ("authorization",)

    url: str
    labels: dict[str, str] = {}
    """Added to every alert, for its routes."""
    authorization: str = ""
    """The value of that header ("Bearer ...", "Basic ..."); '' = none is sent."""

    def __post_init__(self) -> None:
        _check_url("url", self.url)
        _check(_VISIBLE_ASCII, self.authorization, "authorization must be printable ASCII, as a header is")
        if len(self.labels) > LABELS_MAX:
            raise ValueError(f"labels has {len(self.labels)} of at most {LABELS_MAX}")
        for name, value in self.labels.items():
            _check(
                _LABEL,
                name,
                f"label {name!r:.60}: a name has letters, digits and _, and no digit first",
            )
            if name in RESERVED_LABELS or name.startswith("__"):
                raise ValueError(f"label {name!r:.60} is one that Spendmeter or Alertmanager sets")
            if not 1 <= len(value) <= LABEL_CHARACTERS_MAX:
                raise ValueError(f"label {name!r:.60}: a value has 1 to {LABEL_CHARACTERS_MAX} characters")

    @property
    def addresses(self) -> tuple[str, ...]:
        """As of every kind."""
        return (self.url,)


class PagerDutySettings(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="pagerduty"
):
    """A service's Events API v2 integration; `severities`: where PagerDuty's word is another than ours."""

    SECRETS: ClassVar = ("routing_key",)
    SENT: ClassVar = ("routing_key",)

    routing_key: str
    url: str = PAGERDUTY_URL
    severities: dict[IncidentSeverity, PagerDutySeverity] = {}

    def __post_init__(self) -> None:
        _check_url("url", self.url)
        _check(
            _ROUTING_KEY,
            self.routing_key,
            "routing_key must be an integration key: 32 letters and digits",
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """As of every kind."""
        return (self.url,)


class SlackSettings(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="slack"
):
    """An incoming webhook (`webhook_url`), which can only post; or a bot's `token` and a `channel`, whose
    messages are renewed in place."""

    SECRETS: ClassVar = ("webhook_url", "token")
    SENT: ClassVar = ("token",)

    webhook_url: str = ""
    token: str = ""
    channel: str = ""
    """Its id (C0123ABCD), or its name: the answer to the first message says the id."""
    url: str = SLACK_URL

    def __post_init__(self) -> None:
        if bool(self.webhook_url) == bool(self.token):
            raise ValueError(
                "either webhook_url is set, or token and channel; an incoming webhook's address is its "
                "webhook_url"
            )
        _check_url("url", self.url)
        if self.webhook_url:
            _check_url("webhook_url", self.webhook_url)
            if self.channel:
                raise ValueError("channel belongs to a token: a webhook_url has its own")
            return
        _check(_SLACK_TOKEN, self.token, "token must be a Slack token: xoxb-...")
        _check(_SLACK_CHANNEL, self.channel, "channel must be a channel's id, such as C0123ABCD, or its name")

    @property
    def addresses(self) -> tuple[str, ...]:
        """As of every kind."""
        return (self.webhook_url or self.url,)


class AppriseSettings(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="apprise"
):
    """Email, Teams, Discord, ntfy and others, as an Apprise URL (`mailtos://...`); all of it is secret.

    Which of them, and with which parameters: `apprise_urls.py`.
    """

    SECRETS: ClassVar = ("url",)
    SENT: ClassVar = ()

    url: str

    def __post_init__(self) -> None:
        check_apprise_url(self.url)

    @property
    def addresses(self) -> tuple[str, ...]:
        """None that is known before Apprise connects: the process in which it does checks them."""
        return ()


ChannelSettings = WebhookSettings | AlertmanagerSettings | PagerDutySettings | SlackSettings | AppriseSettings
ChannelKind = Literal["webhook", "alertmanager", "pagerduty", "slack", "apprise"]

_DECODER: msgspec.json.Decoder[ChannelSettings] = msgspec.json.Decoder(ChannelSettings)


class ChannelSettingsError(ValueError):
    """What is said of a channel cannot be; the message says what is wrong, and never the secret itself."""


def decode_settings(text: str | bytes) -> ChannelSettings:
    """From JSON with its `kind`. Raises ChannelSettingsError."""
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError as error:  # of a field, a value or the JSON itself
        raise ChannelSettingsError(placed(error)) from None


def encode_settings(settings: ChannelSettings) -> str:
    """As JSON, secrets and all: for the table, never for an answer."""
    return msgspec.json.encode(settings).decode()


def kind_of(settings: ChannelSettings) -> ChannelKind:
    """The word that says which."""
    kind: ChannelKind = settings.__struct_config__.tag  # type: ignore[assignment]
    return kind


def shown(settings: ChannelSettings) -> dict[str, Any]:
    """What may be shown of it: everything but the secrets."""
    columns: dict[str, Any] = msgspec.to_builtins(settings)
    return {name: value for name, value in columns.items() if name not in settings.SECRETS}


def carried_off(before: ChannelSettings, after: ChannelSettings, stated: Collection[str]) -> str:
    """The secret that this change would send to another address without stating it again; '' = none.

    Who may change a channel may not learn its secrets, and would, from a receiver of his own.
    """
    if before.url == after.url:
        return ""
    return next((name for name in after.SENT if getattr(after, name) and name not in stated), "")


def renews(settings: ChannelSettings) -> bool:
    """Whether it shows an incident in one place, so that news of small things (`updated`) disturb nobody."""
    in_place = isinstance(settings, SlackSettings) and bool(settings.token)
    return in_place or isinstance(settings, AlertmanagerSettings)


def _check(pattern: re.Pattern[str], value: str, rule: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(rule)


def _check_url(name: str, url: str) -> None:
    if len(url) > URL_CHARACTERS_MAX:
        raise ValueError(f"{name} has more than {URL_CHARACTERS_MAX} characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{name} is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{name} must begin with https:// and name a host")
