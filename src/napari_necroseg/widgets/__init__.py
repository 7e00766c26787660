"""Dock widgets: forms that start jobs of the core, and draw what these report."""
