"""The door for vendors' clouds: signed batches of messages."""
