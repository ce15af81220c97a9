"""What an account should know when it looks next."""
