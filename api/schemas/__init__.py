"""The JSON of items and events and the queries over them, shared by several resources."""
