""".dvc/plots/page.html, the page that `dvc plots` fills in, made anew: DVC's own page with Vega in it, for no network.

`.dvc/config` names it (plots.html_template). When a new version of DVC asks for other versions of Vega, a test
says so; then, in a folder of its own:

    npm pack vega@5.20.2 vega-lite@5.2.0 vega-embed@6.18.2    # the versions of dvc_render.vega
    python -m infra.plots_page FOLDER
"""

from __future__ import annotations

import argparse
import re
import tarfile
from pathlib import Path

PAGE = Path(__file__).parent.parent / ".dvc" / "plots" / "page.html"
_PLACES = ("{refresh_tag}", "{scripts}", "{plot_divs}")
_HEAD = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
{refresh_tag}
<title>DVC plots</title>
<style>
body {font-family: sans-serif; display: flex; flex-wrap: wrap; gap: 24px}
table {border-spacing: 15px}
</style>
"""
_TAIL = """</head>
<body>
{plot_divs}
</body>
</html>
"""


def wanted() -> dict[str, str]:
    """Package -> version, as DVC's own page has them, in the order in which a browser has to read them."""
    from dvc_render.vega import VegaRenderer

    return dict(re.findall(r"npm/([\w-]+)@([\d.]+)", VegaRenderer.SCRIPTS))


def heading(package: str, version: str) -> str:
    """The line above a package's script."""
    return f"{package} {version}"


def make(folder: Path) -> str:
    """The page, of the packages that lie in `folder` as PACKAGE-VERSION.tgz."""
    parts = [_HEAD]
    for package, version in wanted().items():
        with tarfile.open(folder / f"{package}-{version}.tgz") as content:
            licence, script = (_text(content, name) for name in ("LICENSE", f"build/{package}.min.js"))
        assert not any(place in script for place in (*_PLACES, "</script"))
        script = re.sub(r"\n?//# sourceMappingURL=.*", "", script).strip()
        parts.append(f"<!-- {heading(package, version)}\n\n{licence.strip()}\n-->\n<script>{script}</script>\n")
    return "".join([*parts, _TAIL])


def _text(package: tarfile.TarFile, name: str) -> str:
    stream = package.extractfile(f"package/{name}")
    assert stream is not None
    return stream.read().decode()


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the three packages lie")
    PAGE.write_text(make(parser.parse_args().folder), encoding="utf-8")
    print(f"{PAGE}: {PAGE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
