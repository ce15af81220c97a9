"""Labelled series enter, figures of the streaming anomaly score leave."""
