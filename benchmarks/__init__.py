"""Measures the service beside a plain CRUD service: `python -m benchmarks`, or `make bench`."""
