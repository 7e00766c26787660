"""A first mask from a click: semi-automatic methods, without a model, within a ball about the click."""
