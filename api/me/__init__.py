"""The resource `/me`: the credential of the request."""
