"""Silences, times of maintenance, drills, and what was held back."""
