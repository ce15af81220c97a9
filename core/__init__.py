"""Words, clock, limits and settings that every part shares; imports nothing of the other packages."""
