"""The dock Cases and its parts."""
