"""Other event stores, each reading its events as quickly as it can. They run in an environment of their own."""

#: Events that each reads at once: about where more or fewer make neither any quicker.
PAGE = 5000
