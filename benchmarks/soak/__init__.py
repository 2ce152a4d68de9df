"""A long backfill from a site that fails at random, while what works on it is killed."""
