"""The blueprints, and what the pages need."""
