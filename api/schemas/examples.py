"""Examples that the API description of several resources shows."""

EVENT_EXAMPLE = {
    "position": 1,
    "item_id": 1,
    "version": 1,
    "type": "item.created.v1",
    "recorded_at": "2026-11-23T20:57:16.250000Z",
    "actor": "anonymous",
    "command_id": "1a20a32e18ea15f13ad1500000003",
    "ordinal": 0,
    "correlation_id": "1a20a32e18ea15f13ad1500000002",
    "causation_id": None,
    "data": {"name": "Fountain pen", "price": "24.5", "in_stock": True},
    "fingerprint": "f3a0c1b5b6f1d2d0a6e6a4b54f0cba3f0d5b1c7a5d9e8f70717263748596a7b8",
    "leaf_hash": "8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1",
}
