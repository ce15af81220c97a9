"""The audit log, for an institution's administrator."""
