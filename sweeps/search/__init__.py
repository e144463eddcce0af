"""Search that learns: which point a free slot tries next, and how far each job may go."""
