"""Tell what the running kernel is, where a site has no probe of its own; runs as text anywhere."""

import json
import os


def main() -> None:
    """Print it."""
    here = os.uname()
    print(json.dumps({"kernel": here.release, "arch": here.machine, "refusal": None}))


if __name__ == "__main__":
    main()
