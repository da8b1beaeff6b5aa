"""SQLite: a file, written by one thread of one process."""
