"""What tests and benchmarks share: servers, clients and databases."""
