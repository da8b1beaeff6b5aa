"""The doors: HTTP and the shell. May import every room; no room imports it."""
