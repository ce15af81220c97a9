"""Third parties that fulfil services, and the people who come."""
