"""`python -m cli`, which bin/spendmeter runs."""

from cli.app import main

main()
