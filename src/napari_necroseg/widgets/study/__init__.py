"""The dock Study and its parts."""
