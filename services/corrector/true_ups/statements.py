"""The statements of true-ups."""

from pathlib import Path

from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "true_ups.sql")
