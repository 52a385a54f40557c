"""`python -m services.corrector`, at a low priority: live bookings go first."""

import os

from services.corrector.worker import Corrector
from spendmeter.platform.service import run_worker

NICENESS = 10

if __name__ == "__main__":
    os.nice(NICENESS)
    run_worker("corrector", Corrector)
