"""`python -m services.ingest`."""

from services.ingest.process import connected
from spendmeter.platform.service import run_server

if __name__ == "__main__":
    run_server("ingest", connected)
