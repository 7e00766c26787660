"""The dock Train and its parts."""
