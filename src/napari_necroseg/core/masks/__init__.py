"""Masks: cleaning, measuring, editing and reshaping them."""
