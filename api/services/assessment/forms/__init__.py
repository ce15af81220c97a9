"""Assessment forms as data and pure functions: answers enter, sub-totals and a level with its reason leave."""
