"""PostgreSQL: a server shared by several processes."""
