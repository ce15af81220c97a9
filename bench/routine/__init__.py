"""Recorded homes enter, figures of the routine, vitals and inactivity detectors leave."""
