"""How people write numbers, times and truth as text, and what they mean."""
