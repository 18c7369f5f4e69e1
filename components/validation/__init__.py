"""Releases of Great Expectations that send usage figures do so unless told not to before they are imported."""

import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"
