"""Silences, times of maintenance, and what was held back."""
