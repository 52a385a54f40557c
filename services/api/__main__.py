"""`python -m services.api`."""

from services.api.process import connected
from spendmeter.platform.service import run_server

if __name__ == "__main__":
    run_server("api", connected)
