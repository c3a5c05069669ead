"""``python -m ipvs_audit``: the ``ipvs-audit`` command."""

import sys

from ipvs_audit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
