"""Supervision: what institutions did enters as counts, indicators against the plan's targets leave. Never a person."""
