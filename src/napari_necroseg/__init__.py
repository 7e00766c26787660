"""Segment necrosis zones after radiofrequency ablation of spinal metastases; research software.

The public names stand in ``__init__.pyi``; each is loaded when it is first used. Whatever is not named there
is private and may change.
"""

import lazy_loader

__version__ = "0.3.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
