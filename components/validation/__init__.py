"""Great Expectations sends usage figures unless told not to before it is imported."""

import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"
