"""The application of tests/web, for what is tried through its pages."""

from tests.web.conftest import alice, app, app_settings, cast, database, sign_in, visitor

__all__ = ["alice", "app", "app_settings", "cast", "database", "sign_in", "visitor"]
