"""The search indexes: their definitions, their catalog, and how each follows its collection."""
