"""Which Apprise URLs a channel may have: those that reach people, and nothing of this machine.

Apprise knows some 150 services. Some run programs or write to this machine (syslog, dbus, windows), some read
its files (`template=`, `pgpprv=`), some call any URL: listed is what may be, all else is refused. Pure.
"""

from urllib.parse import parse_qsl, urlsplit

CHARACTERS_MAX = 2000
SCHEMAS = frozenset(
    "mailtos workflows discord ntfys gotifys mmosts rockets matrixs tgram gchat wxteams zulip pover "
    "opsgenie pagertree".split()
)
"""Encrypted on their way, by Apprise's names: email, Teams, Discord, ntfy, Gotify, Mattermost, Rocket.Chat,
Matrix, Telegram, Google Chat, Webex, Zulip, Pushover, Opsgenie, PagerTree."""
PLAIN_SCHEMAS = frozenset("mailto ntfy gotify mmost rocket matrix workflow".split())
"""The same without encryption: for a relay in one's own network, where an operator allows those."""
PARAMETERS = frozenset(
    "to from name cc bcc reply smtp user pass mode format overflow priority tags topic channel thread ping "
    "avatar avatar_url botname msgtype region id group workflow signature ver".split()
)
"""None that names a file, skips a certificate's check, follows redirects or sets headers."""
MODES = frozenset({"ssl", "starttls"})
"""Of email that is sent encrypted."""


def schema_of(url: str) -> str:
    """`mailtos` of `mailtos://...`."""
    return url.partition("://")[0].lower()


def check_apprise_url(url: str) -> None:
    """Raise ValueError with the rule that it breaks; nothing of the URL but its schema is repeated."""
    if len(url) > CHARACTERS_MAX:
        raise ValueError(f"url has more than {CHARACTERS_MAX} characters")
    if not url.isascii() or not url.isprintable() or any(character in url for character in " ,;|'\"<>\\"):
        raise ValueError("url must be one URL in ASCII: what is not plain is %-encoded")
    schema = schema_of(url)
    if "://" not in url or schema not in SCHEMAS | PLAIN_SCHEMAS:
        raise ValueError(f"url must begin with one of {', '.join(sorted(SCHEMAS | PLAIN_SCHEMAS))}, and ://")
    try:
        parameters = parse_qsl(urlsplit("//" + url.partition("://")[2]).query, keep_blank_values=True)
    except ValueError:
        raise ValueError("url is not a URL") from None
    if any(separator in url.partition("://")[2] for separator in ("://", "#")):
        raise ValueError("url must be one URL: another one inside it, or a #, is %-encoded")
    for name, value in parameters:
        if name.lower() not in PARAMETERS:
            raise ValueError(f"url has a parameter that may not be set here: {name.lower():.40}")
        if name.lower() == "mode" and schema == "mailtos" and value.lower() not in MODES:
            raise ValueError(f"mode of mailtos must be one of {', '.join(sorted(MODES))}")
