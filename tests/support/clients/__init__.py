"""Clients of the service under test, and what they keep account of."""
