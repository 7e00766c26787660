"""The dock Predict and its parts."""
