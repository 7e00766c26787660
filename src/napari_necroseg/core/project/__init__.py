"""The project folder on disk: masks drawn in it, their sign-offs and journals, and trained models."""
