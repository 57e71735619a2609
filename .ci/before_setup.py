"""Say what set-up will download, and stop early when this machine cannot hold it.

Runs before anything is installed, so it needs nothing but Python.
"""

import shutil
import sys

NEEDED_GB = 8.0
LINUX_GB = 5.5


def main() -> int:
    """0 when set-up can go on, 1 with a sentence when it cannot."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what says so
        version = ".".join(map(str, sys.version_info[:3]))
        sys.stderr.write(
            f"This is Python {version}; Plankton Explorer needs 3.11 or newer. "
            "Name one with `make PYTHON=python3.11 run`.\n"
        )
        return 1
    free = shutil.disk_usage(".").free / 1e9
    size = f"about {LINUX_GB} GB installed" if sys.platform == "linux" else "about 2 GB installed"
    print(f"Setting up .venv: downloads torch and the other libraries, {size}; some minutes.")
    if free < NEEDED_GB:
        sys.stderr.write(
            f"This disk has {free:.1f} GB free; set-up wants {NEEDED_GB:.0f} GB while it unpacks. "
            "Make room, then run the same command again.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
