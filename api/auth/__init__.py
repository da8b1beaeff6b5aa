"""Who comes in, and what they may do: API keys, access tokens, and the gate that asks for one of them."""
