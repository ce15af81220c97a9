"""The rota: shifts in wall time, swaps and absences enter; who is on duty at a moment leaves."""
