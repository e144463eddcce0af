"""How often chance promotes a model: simulations of the gate with models of known skill, their tables and pictures."""
