"""Detects source code, which must stay unchanged: `"&amp;"` there is not a damaged `&`.

Unmarked code is recognised by the syntax of its lines, with caution: code is exempt from repair and from most
scrubbing, so prose must not count as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LINES = 200
"""The number of non-blank lines used to recognise code."""
MIN_SHARE = 0.6
"""The share of these lines, without comments, that have the syntax of code."""

# Markdown (CommonMark 0.31): a fenced block, its language by name, to the closing fence or the end; a code span.
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.M | re.S)
_SPAN = re.compile(r"(?<!`)`[^`\n]+`(?!`)")
_NO_LANGUAGE = frozenset(
    {"", "text", "txt", "plain", "plaintext", "md", "markdown", "log", "output", "console", "none"}
)
"""Names of fenced blocks with any content; the content has to look like code."""

_QUOTED = re.compile(r'"""(?:[^"]|"(?!""))*"""|/\*.*?\*/', re.DOTALL)
_COMMENT = re.compile(r"\s*(?:#(?!include|define|if|endif|pragma|!)|//|\*|--|;;|<!--)")
_CODE = re.compile(
    r"""\s*(?:
      .*[=()\[\]{}"'>+].*;\s*$ | [\w.]+(?:[ *&]+[\w.]+){0,2};\s*$ | .*[{}]\s*$    # statements and blocks
    | (?:pass|break|continue|return|else|end|fi|done|begin|try|do)\s*:?\s*$
    | [\])}]+[,;)]*\s*$
    | \#(?:include|define|if|endif|pragma|!/)
    | (?:import\s+[\w.*,\s]+|from\s+[\w.]+\s+import\s.+|package\s+[\w.]+|use\s+[\w:\\]+)\s*$
    | (?:async\s+)?(?:def|fn|func|function|sub)\s+\w+\s*[(<].*
    | (?:class|struct|enum|trait|impl|interface|module)\s+\w+\s*(?:[(<:].*)?[:{]\s*$
    | (?:if|elif|else|for|while|with|try|except|finally|switch|case|match)\b(?!.*[.,!?]\s).*:\s*$
    | (?:const|let|var|val)\s+[\w{}\[\],\s]+(?::[^=]+)?=.*
    | (?:return|yield|raise|throw|await|assert|echo|puts|print)\b\s*[\w\[({"'$-].*[\])}"'\w]\s*$(?<=[\])}"'])
    | (?:SELECT|INSERT\s+INTO|UPDATE|CREATE\s+TABLE|DELETE\s+FROM|ALTER\s+TABLE)\b.*
    | @[\w.]+(?:\(.*\))?\s*$                                             # decorators
    | [\w.\[\]"'*&$>-]+(?:\s*:\s*[\w.\[\], |]+)?\s*(?:[-+*/%|&^<>]|:)?=(?!=)\s*(?:.*[\[({"'].*|[\w.]+\(.*|-?[\d.]+)\s*$
    | [A-Za-z_][\w.]*\(.*\)\s*(?:[.\\\[].*)?$                            # a call
    | \w+=\S+,\s*$                                                        # an argument
    | "[\w$.-]+"\s*:\s.*[,"\d\]\[{}el]\s*$                               # JSON
    )""",
    re.VERBOSE,
)
_ONE_LINE = re.compile(r"[\w.\])]\s*(?:[-+*/|&]?=(?!=)|\()\s*.*(?:[A-Za-z_]\w*\(|[\[{]).*[;)}\]]\s*$")


def looks_like_code(text: str) -> bool:
    """Whether an unmarked text is source code, by its first lines; a short text must be unambiguous."""
    begin = _QUOTED.sub("", text[: 120 * LINES])
    lines = [line for line in begin.split("\n") if line.strip()][:LINES]
    lines = [line for line in lines if not _COMMENT.match(line)]
    if len(lines) < 2:
        return bool(lines) and len(lines[0]) < 500 and bool(_CODE.match(lines[0]) and _ONE_LINE.search(lines[0]))
    found = sum(len(line) < 500 and _CODE.match(line) is not None for line in lines)
    return found >= 2 and found >= MIN_SHARE * len(lines)


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a text in order, source code (True) or not: fenced blocks and code spans of Markdown are."""
    if looks_like_code(text):
        yield text, True
        return
    end = 0
    for block in _FENCED.finditer(text):
        if _is_code(block):
            yield from _spans(text[end : block.start()])
            yield block[0], True
            end = block.end()
    yield from _spans(text[end:])


def holds_code(text: str) -> bool:
    """Whether any part of a text is source code."""
    return any(code for _, code in parts(text))


def _is_code(block: re.Match[str]) -> bool:
    """An open block, or one without a language, has to look like code."""
    named = block[2].strip("{}.").lower() not in _NO_LANGUAGE
    closed = block.end() > block.end(3)
    return (named and closed) or looks_like_code(block[3])


def _spans(text: str) -> Iterator[tuple[str, bool]]:
    end = 0
    for span in _SPAN.finditer(text):
        if span.start() > end:
            yield text[end : span.start()], False
        yield span[0], True
        end = span.end()
    if end < len(text):
        yield text[end:], False
