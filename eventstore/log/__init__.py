"""The log: its tables, appending, reading, following and importing."""
