"""The interfaces: HTTP and the command line. May import every room; no room imports it."""
