"""The study: folds, runs, where they are computed, and what comes of them."""
