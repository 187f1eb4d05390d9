"""Vector indexes: $vectorSearch."""
