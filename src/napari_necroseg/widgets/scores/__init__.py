"""The dock Scores and its parts."""
