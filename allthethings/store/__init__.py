"""The collections `assets` and `passages`, and the search indexes over them."""
