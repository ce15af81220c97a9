"""The embedded runtime: a data directory enters; a PostgreSQL, a broker and a checked machine leave."""
