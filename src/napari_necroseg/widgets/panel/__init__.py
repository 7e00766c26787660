"""The panel: one dock with three steps, from files to signed masks."""
