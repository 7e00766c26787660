"""A first mask from a click: semi-automatic methods that need no model, each within a ball about the click."""
