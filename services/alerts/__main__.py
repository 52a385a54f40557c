"""`python -m services.alerts`."""

from services.alerts.app import Alerts
from spendmeter.platform.service import run_worker

if __name__ == "__main__":
    run_worker("alerts", Alerts)
