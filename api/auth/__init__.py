"""Signing in: accounts, passwords, tokens."""
