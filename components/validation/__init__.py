"""Great Expectations sends usage statistics unless it is told not to before it is imported."""

import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"
