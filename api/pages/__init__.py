"""Pages that need no framework: what the API tells enters, plain HTML for families and inspectors leaves."""
