"""Rights of the person: who acts for a resident, what they ask for, export, restriction, erasure with a receipt."""
