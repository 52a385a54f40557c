"""`python -m services.corrector`, at a low priority: live bookings go first."""

import gc
import os

from services.corrector.worker import Corrector
from spendmeter.platform.service import run_worker

NICENESS = 10
COLLECT_EVERY = 20_000
"""Objects: a chunk of a job or a batch of a projection is some ten thousand, none of them in a cycle, and
looking for cycles among them took a fifth of the time."""

if __name__ == "__main__":
    os.nice(NICENESS)
    gc.freeze()  # what was imported stays: no collection need look at it again
    gc.set_threshold(COLLECT_EVERY)
    run_worker("corrector", Corrector)
