"""Masks: what is cleaned up in them, and what is measured of them."""
