"""Families: contacts, consents and absences enter; who may be told what and when, and what is paused, leaves."""
