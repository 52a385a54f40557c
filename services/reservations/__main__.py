"""`python -m services.reservations`."""

from services.reservations.process import connected
from spendmeter.platform.service import run_server

if __name__ == "__main__":
    run_server("reservations", connected)
