"""The vocabulary of HTTP: bodies, queries, responses, problems, ETags, headers."""
