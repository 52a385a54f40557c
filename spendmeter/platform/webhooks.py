"""Which URLs a webhook may have: one rule for api, which takes them, and alerts, which calls them."""

PRIVATE_SETTING = "SPENDMETER_WEBHOOK_ALLOW_PRIVATE"
UNLESS = f"{PRIVATE_SETTING}=true, set for api and alerts, allows it"
"""What a refused address is told: `public_addresses.py` has the rule."""
