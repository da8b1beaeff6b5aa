"""Authentication and authorization of requests: API keys, access tokens, scopes."""
