"""`python -m services.rating`."""

from services.rating.worker import Rater
from spendmeter.platform.service import run_worker

if __name__ == "__main__":
    run_worker("rating", Rater)
