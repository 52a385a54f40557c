"""`python -m services.ingest`."""

import gc

from services.ingest.process import connected
from spendmeter.platform.service import run_server

if __name__ == "__main__":
    gc.freeze()  # what was imported stays: no collection need look at it again
    run_server("ingest", connected)
