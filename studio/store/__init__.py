"""The only SQL of the studio."""
