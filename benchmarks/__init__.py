"""Benchmarks that compare the service with a plain CRUD service: `python -m benchmarks`, or `make bench`."""
