"""How well a prediction agrees with a reference, counted on the ceT1 grid in millimetres."""
