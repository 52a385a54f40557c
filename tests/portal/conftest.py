"""The same book and database as the API's tests."""

from tests.api.conftest import book, database, database_url

__all__ = ["book", "database", "database_url"]
