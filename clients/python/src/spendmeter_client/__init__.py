"""Meters what an application spends on AI. See `Meter`."""

from spendmeter_client.meter import Meter
from spendmeter_client.stats import Drop, Stats
from spendmeter_client.streams import MeteredStream

__all__ = ["Drop", "Meter", "MeteredStream", "Stats"]
