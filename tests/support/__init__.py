"""What tests and benchmarks share: real servers to run against."""
