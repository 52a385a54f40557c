"""Where channels may lead: one rule for api, which takes them, and alerts, which calls them."""

import errno

from spendmeter.contracts.apprise_urls import PLAIN_SCHEMAS, schema_of
from spendmeter.contracts.channels import AppriseSettings, ChannelSettings
from spendmeter.platform.public_addresses import ForbiddenAddressError, checked_url

PRIVATE_SETTING = "SPENDMETER_WEBHOOK_ALLOW_PRIVATE"
UNLESS = f"{PRIVATE_SETTING}=true, set for api and alerts, allows it"
"""What a refused address is told: `public_addresses.py` has the rule."""


def check_addresses(settings: ChannelSettings, *, allow_private: bool) -> None:
    """Raise ValueError or ForbiddenAddressError with the rule, if the channel may not be called as it stands.

    Names of hosts are not looked up here: the one who connects checks what they lead to.
    """
    for address in settings.addresses:
        checked_url(address, allow_private=allow_private, unless=UNLESS)
    if isinstance(settings, AppriseSettings) and not allow_private:
        schema = schema_of(settings.url)
        if schema in PLAIN_SCHEMAS:
            raise ForbiddenAddressError(errno.EACCES, f"{schema}:// is sent without encryption ({UNLESS})")
