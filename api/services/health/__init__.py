"""健康管理: care plans, follow-up of what is out of order, reminders."""
