"""Stand-ins for Replicate, Hookdeck and MongoDB Atlas, which run on one machine."""
