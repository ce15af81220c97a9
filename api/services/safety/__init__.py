"""安全看护: faults of safety devices against the clock, rounds by day and night."""
