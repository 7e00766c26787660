"""The dock Correct and its parts."""
