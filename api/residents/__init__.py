"""Residents with their contacts, consents, readings and timeline."""
