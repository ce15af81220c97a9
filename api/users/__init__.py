"""Accounts of an institution."""
