"""康复护理: rehabilitation plans and sessions, aids on loan."""
