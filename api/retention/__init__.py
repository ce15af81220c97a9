"""How long data is kept, and what was let go of."""
