"""The catalog's statements, by name."""

from pathlib import Path

from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("catalog.sql"))
