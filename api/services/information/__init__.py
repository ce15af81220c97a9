"""信息查询: enquiries, articles, what the institution publishes of itself."""
