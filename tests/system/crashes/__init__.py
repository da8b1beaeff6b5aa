"""Kills, stops and failures of the service and its database."""
