"""Text indexes: $search and $searchMeta."""
