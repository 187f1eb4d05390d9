"""MongoDB's wire protocol: the proxy, and the commands that it answers itself."""
