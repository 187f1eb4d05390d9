"""The models' weights: their packages, their checks and their cache."""
