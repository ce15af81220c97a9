"""精神慰藉与定期探访: visits to those who are alone, and a time bank for those who visit."""
