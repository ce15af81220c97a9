"""The lived-in month of the demo: a freshly seeded institution enters, thirty days of all eleven services leave.

Nothing is written as a finished row where the product has a function for it: accounts, orders, visits, assessments and
alerts come about by the functions that the routes call, by the people who would do it, on a clock set into the past.
Each story is one transaction and leaves a mark, so that a second run tells none twice and one that was interrupted is
taken up where it stopped. `month.fill` is the beginning; `house` holds what every chapter uses.
"""
