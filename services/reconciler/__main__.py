"""`python -m services.reconciler`."""

from services.reconciler.worker import Reconciler
from spendmeter.platform.service import run_worker

if __name__ == "__main__":
    run_worker("reconciler", Reconciler)
