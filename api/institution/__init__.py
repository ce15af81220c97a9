"""The house itself: beds, staff, licences, stays of residents, money, notes and care of the day."""
