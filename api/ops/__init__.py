"""Health, the OpenAPI document and the documentation page."""
