"""The search indexes that exist, and how each follows its collection."""
