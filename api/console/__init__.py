"""The staff console: a browser enters, pages that stand on the public HTTP API alone leave."""
