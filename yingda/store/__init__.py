"""What outlives a process: conversations, turns, hand-offs, feedback and knowledge, in SQLite or PostgreSQL."""
