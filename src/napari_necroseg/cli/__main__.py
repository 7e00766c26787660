"""``python -m napari_necroseg.cli``: the command line where no console script is installed."""

import sys

from napari_necroseg.cli import main

sys.exit(main())
