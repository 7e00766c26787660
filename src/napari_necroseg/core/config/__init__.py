"""Settings that a person chooses: frozen values with bounds and help, the source of forms and ``--help``.

The names stand in ``__init__.pyi``; each group of settings is loaded when it is first used, since building
their classes takes time.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
