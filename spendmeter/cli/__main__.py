"""`python -m spendmeter.cli`, which bin/spendmeter runs."""

from spendmeter.cli.app import main

main()
