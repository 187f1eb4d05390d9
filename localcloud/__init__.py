"""Stand-ins for Replicate, Hookdeck and MongoDB Atlas, on loopback, for one machine."""
