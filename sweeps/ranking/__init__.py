"""What came out of a sweep: its leaderboard, its status, its promotion."""
