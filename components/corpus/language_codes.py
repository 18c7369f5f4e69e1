"""One code for each language, whatever its spelling: `eng_Latn`, `zho`, `cmn_Hani`, `zh-Hant-TW`, `Chinese`, `中文`.

The codes and names are those of Unicode's CLDR, which Babel contains: ISO 639-1 where it has a code, otherwise ISO
639-3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

CODE_LANGUAGES = {
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".hpp": "cpp",
    ".cs": "csharp",
    ".css": "css",
    ".dart": "dart",
    ".ex": "elixir",
    ".go": "go",
    ".hs": "haskell",
    ".java": "java",
    ".jl": "julia",
    ".js": "javascript",
    ".jsx": "javascript",
    ".kt": "kotlin",
    ".lua": "lua",
    ".mjs": "javascript",
    ".ml": "ocaml",
    ".php": "php",
    ".pl": "perl",
    ".py": "python",
    ".r": "r",
    ".rb": "ruby",
    ".rs": "rust",
    ".scala": "scala",
    ".sh": "shell",
    ".sql": "sql",
    ".swift": "swift",
    ".ts": "typescript",
    ".tsx": "typescript",
}
"""Extension of a file with source code -> the language of its documents."""
CODE = frozenset({*CODE_LANGUAGES.values(), "code"})
"""Programming languages; `code` where the language is unknown."""
MIXED = "mixed"
"""The language of a source whose rows have a language each."""
_NONE = frozenset({"", "und", "mul", "mis", "zxx", "unknown", "none", "null", "nan", "n/a", "na?", "multi", MIXED})
"""Codes for no particular language: ISO 639-2 has four."""
# The members of the macrolanguage zho (ISO 639-3): written in the same characters, so that the same rules hold.
_SINITIC = frozenset("zh cdo cjy cmn cnp cpx csp czh czo gan hak hsn lzh mnp nan och wuu yue".split())  # noqa: SIM905
_NAMES = {
    "mandarin": "zh",
    "mandarin chinese": "zh",
    "classical chinese": "zh",
    "cantonese": "zh",
    **dict.fromkeys(
        ["汉语", "漢語", "华语", "華語", "国语", "國語", "普通话", "普通話", "文言", "简体中文", "繁體中文"], "zh"
    ),
    "c++": "cpp",
    "c#": "csharp",
    "golang": "go",
    "js": "javascript",
    "bash": "shell",
    "sh": "shell",
    "source code": "code",
}
"""Names that CLDR lacks."""


def language_codes(given: object) -> tuple[str, ...]:
    """The codes of the named languages, in order: a name, a tag, several separated by commas, or a list; none for `und`
    and the like.

    An unknown name stays as it is, in lower case.
    """
    if isinstance(given, str):
        return _codes_of(given)
    if isinstance(given, Iterable):
        return tuple(dict.fromkeys(code for one in given for code in language_codes(one)))
    return ()


@lru_cache(maxsize=4096)
def _codes_of(text: str) -> tuple[str, ...]:
    names = re.split(r"[,;|]", text.strip(" []()\t\n"))
    return tuple(dict.fromkeys(code for name in names if (code := _code(name.strip(" '\"").casefold()))))


def _code(name: str) -> str:
    """name: in lower case."""
    name = name.removeprefix("__label__")  # as fastText writes it
    if name in _NONE or name in CODE:
        return "" if name in _NONE else name
    tag = re.match(r"[a-z]{2,3}(?=$|[-_.@])", name)
    if name in _NAMES or tag is None:
        return _NAMES.get(name) or _by_name().get(name, name)
    code = _aliases().get(tag[0], tag[0])
    return "zh" if code in _SINITIC else "" if code in _NONE else code


@cache
def _aliases() -> dict[str, str]:
    """Deprecated or longer code -> the current one: `eng`, `zho`, `iw`."""
    from babel.core import get_global

    return {code: str(other).split("_")[0] for code, other in get_global("language_aliases").items()}


@cache
def _by_name() -> dict[str, str]:
    """The names of all languages in English and Chinese."""
    from babel import Locale

    names = {name: code for tongue in ("zh_Hant", "zh", "en") for code, name in Locale.parse(tongue).languages.items()}
    codes = {name.casefold(): code.split("_")[0] for name, code in names.items()}
    return {name: "zh" if code in _SINITIC else code for name, code in codes.items()}
