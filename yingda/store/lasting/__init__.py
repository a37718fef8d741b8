"""A memory that goes on while its database is away: what cannot be written waits in a journal on the disk."""
