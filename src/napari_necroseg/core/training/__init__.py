"""Training: from the choices to a trained network."""
