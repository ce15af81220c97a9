"""家庭照护床位与适老化改造: beds at home, adaptation from survey to warranty, respite nights."""
