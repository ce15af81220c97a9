"""Simulated residents and devices: a seed enters, timed MQTT messages with known truth leave. No product code here."""
