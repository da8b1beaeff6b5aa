"""What happens to every request, in order: protocol and timeouts, boundary, limits, routing."""
