"""Committed events and readings enter; alerts, their escalation and pages to people leave."""
