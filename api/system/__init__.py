"""Health, readiness and figures of the process itself."""
