"""The database adapters, and the only code that differs between SQLite and PostgreSQL."""
