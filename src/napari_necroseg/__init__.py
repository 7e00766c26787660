"""Segment necrosis zones after radiofrequency ablation of spinal metastases; research software."""

__version__ = "0.1.0"
