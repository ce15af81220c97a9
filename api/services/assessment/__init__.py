"""能力与需求综合评估: forms with their published tables, and the assessment from request to a level in force."""
