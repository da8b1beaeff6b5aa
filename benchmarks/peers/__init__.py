"""Other event stores, each reading its events as fast as it can, in an environment of their own."""

#: Events per read. About this many, neither more nor fewer make either of them faster.
PAGE = 5000
