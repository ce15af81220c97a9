"""紧急救援: incidents that follow their alerts, with dispatch, outcome and review."""
