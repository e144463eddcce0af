"""The dashboard in a browser: how fast it is, and the pictures of it in the docs."""
