"""Rebuilds of a running service."""
