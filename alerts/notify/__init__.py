"""Rows of the outbox enter, pages on people's phones leave, with a record of how each went."""
