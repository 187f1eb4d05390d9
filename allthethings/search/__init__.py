"""From a query to the assets that answer it."""
