"""Profile a training stage: `python -m components.planning --params FILE … --words STAGE --name path …`.

The profile is a fork of the process with the libraries where one waits, as its stage is: what is measured is what runs.
"""

from __future__ import annotations

import sys

from components.forkserver.client import hand_over

if __name__ == "__main__":
    hand_over("components.planning", "components.planning.__main__")
    from components.planning.stage_profile import main  # late: where a fork does the work, nothing else is imported

    sys.exit(main())
