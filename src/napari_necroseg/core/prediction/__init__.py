"""Prediction: trained networks applied to cases."""
