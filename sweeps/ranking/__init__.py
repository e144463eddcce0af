"""The results of a sweep: its leaderboard, its status, its promotion."""
