"""Whom to page, through what, and how well that works: plans, channels and settings over HTTP."""
