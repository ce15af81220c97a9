"""Alerts over HTTP: people's requests enter, alerts, their stream and the figures about them leave."""
