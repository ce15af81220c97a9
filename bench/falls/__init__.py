"""How the fall model is trained and measured."""
