"""Commands that carry runs out of a store and into it."""
