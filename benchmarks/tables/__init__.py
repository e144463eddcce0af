"""How good the models are: the trainer's default run and a small sweep beside scikit-learn, on real tables."""
