"""Settings every test shares."""

from hypothesis import settings

# A deadline would test the machine's load, not the code.
settings.register_profile("podium", deadline=None, max_examples=60)
settings.load_profile("podium")
