"""Recorded vitals enter, alert rates and the fate of injected changes leave."""
