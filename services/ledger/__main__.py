"""`python -m services.ledger`."""

from services.ledger.worker import Ledger
from spendmeter.platform.service import run_worker

if __name__ == "__main__":
    run_worker("ledger", Ledger)
