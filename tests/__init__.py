"""The tests: every name is a sentence about what the service does."""
