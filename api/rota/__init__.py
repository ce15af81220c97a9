"""The rota over HTTP: shifts, swaps, absences and hand-overs enter; who is on duty, and calendars, leave."""
