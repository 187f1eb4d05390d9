"""The proxy for MongoDB's wire protocol, and the commands that it answers itself."""
