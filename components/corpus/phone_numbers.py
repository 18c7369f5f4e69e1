"""Phone numbers in running text: international, North American, Chinese, British, Australian, and any after a label.

A number counts where it has the notation of phone numbers and its context does not say otherwise: a unit, a currency,
an order, a version, a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# ITU-T E.164: the codes of countries, with the digits that follow where all of them agree.
_COUNTRY = re.compile(
    r"1(?=[2-9][0-8]\d[2-9]\d{6}$)|7(?=\d{10}$)|86(?=(?:1[3-9]\d|0?10|0?2\d|0?[3-9]\d\d|[48]00)\d{7,8}$)"
    r"|20|27|21[12368]|2[2346]\d|25[0-8]|29[01789]|3[0-469]|35\d|37\d|38[0-25-79]|4[013-9]|42[013]|5[1-8]|50\d|59\d"
    r"|6[0-6]|67[02-9]|68[0-35-9]|69[0-2]|8[124]|85[02356]|870|88[0-368]|9[0-58]|96[0-8]|97[0-7]|99[2-68]"
)
_DIGIT = re.compile(r"\d", re.ASCII)
_FREE = r"(?<![A-Za-z0-9$€£¥￥+#])(?<!\d[.,])(?<![A-Za-z0-9][-/_=#&?.])"
"""The number is not part of a longer number, a URL or a price."""
_END = r"(?![A-Za-z0-9]|[.,]\d|-[A-Za-z0-9])"

_INTERNATIONAL = re.compile(
    r"(?<![\w+.])\(?(?:\+|00(?=86|[1-9]\d{0,2}[ -]))\(?[1-9]\d{0,14}\)?"
    r"(?:(?:[ .\-/]{1,2}\(?|\(|(?<=\)))\d{1,12}\)?){0,7}(?!\w)",
    re.ASCII,
)
_FORMS = (
    r"(?<!\()(?:1[-. ])?(?!\(?[2-79]00)"  # North America, where only 800 ends in two zeros
    r"(?:\([2-9]\d\d\) ?|[2-9]\d\d[- ](?=\d{3}-)|[2-9]\d\d\.(?=\d{3}\.))[2-9]\d\d[-.]\d{4}",
    r"(?:\(?86\)?[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}",  # Chinese mobile
    r"(?<!\d )(?:\(0(?:10|2\d|[3-9]\d\d)\) ?|0(?:10|2\d|[3-9]\d\d)[- ])[2-9]\d{2,3}[- ]?\d{4}",  # Chinese landline
    r"[48]00[- ]\d{3}[- ]\d{4}",  # Chinese hotline
    r"09\d\d-\d{3}-\d{3}",  # Taiwan
    r"(?:\(0[2-8]\) ?|0[2-8]-)\d{3,4}-\d{4}",
    r"(?<!\d )07\d{3} \d{3} ?\d{3}",  # United Kingdom
    r"(?<!\d )(?:\(01\d{2,3}\)|01\d{2,3}) \d{3} ?\d{3,4}",
    r"(?<!\d )(?:04\d\d \d{3} \d{3}|\(0[2378]\) ?\d{4} \d{4})",  # Australia
)
_NATIONAL = re.compile(f"{_FREE}(?:{'|'.join(_FORMS)}){_END}", re.ASCII)
_LABELLED = re.compile(
    r"(?:(?i:(?<![A-Za-z])(?:tel|telephone|phone|mobile|cell|fax|hotline|whatsapp)(?:[ _]?(?:number|no\.?|num))?)"
    r"(?![A-Za-z])|电话|電話|手机|手機|传真|傳真|热线|熱線|座机|致电|致電|拨打|撥打)"
    r"(?:号码|號碼|号|號)?(?:是|为|為| is| at)?[^\w+¥￥$\u4e00-\u9fff]{0,4}(\(?\d[\d .()/-]{5,18}\d)(?!\w|[.,]\d)",
    re.ASCII,
)

_OTHERWISE = re.compile(
    r"(?:(?<![A-Za-z])(?i:order|invoice|tracking|serial|part|item|sku|isbn|issn|doi|ref|reference|case|ticket|patent|model"
    r"|account|acct|lot|batch|id|uid|uuid|pid|qq|version|ver|rev|build|catalog(?:ue)?|docket|grant|bug|issue|hash|sha\d*|md5)"
    r"|单|單|第|编号|編號|流水|快递|物流|发票|序列|专利|版本|邮编|(?<![号號])[码碼]"
    r"|[学工证房账帐賬帳案型批文货貨卡车户档牌版序编书書刊门位][号號])"
    r"(?:\W{0,2}(?i:numbers?|no|num|nr|code|id|key)(?![A-Za-z])|号码|號碼|号|號|码)?(?: is|为|為|是)?\W{0,3}$"
    r"|(?<![A-Za-z])(?i:(?!(?:my|your|his|her|our|their|its|the|this|that|an?|new|old|contact|phone|mobile|cell|fax|tel"
    r"|telephone|whatsapp|emergency|office|home|work|free) )[a-z]+ (?:number|no\.))\W{0,3}$",
)
"""Words before a number that name another kind of number."""
_AMOUNT = re.compile(
    r"(?:[$€£¥￥≈=<>*×]|(?<![A-Za-z])(?:RMB|CNY|USD|EUR|HKD)|人民币|投资|合计|总计|共计|收入|支出|营收"
    r"|利润|资产|人口|(?<![A-Za-z])(?:of|over|about|around|nearly|almost)|约为|超过|达到|高达|增长到|[量额額价價数數值约約])\s?$"
)
_UNIT = re.compile(
    r"\s?(?:元(?![旦宵])|圆|美元|美金|万|萬|亿|億|人民币|人次|吨|噸|公里|千米|公斤|千克|股|份|名|期|字节|平方|立方|光年|[%％‰°]"
    r"|(?i:bytes?|bits?|[kmgt]i?b|km|kg|usd|eur|cny|rmb|dollars?|euros?|people|shares|[mn]s|seconds|hz|tons?|tonnes"
    r"|years|miles|times)(?![A-Za-z]))"
)
_DATE = re.compile(
    r"(?:19|20)\d\d([-/. ])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?!\d)|(?:19|20)\d\d\D{1,3}(?:19|20)\d\d$"
)
_NUMBER_WITH_DOTS = re.compile(r"\+?\d+(?:\.\d+)+")
_DOTTED_PHONE = re.compile(r"(?:1\.)?\d{3}\.\d{3}\.\d{4}|\d\d(?:\.\d\d){4}")
_CODE_IN_BRACKETS = re.compile(r"\([+\d]\d{0,4}\)", re.ASCII)
_LAST_GROUP = re.compile(r"[ .()/-]+\d+\)?$")


def phone_numbers(text: str) -> Iterator[tuple[int, int]]:
    """The spans of phone numbers in a text whose digits are ASCII; spans may overlap."""
    for match in _LABELLED.finditer(text):
        if end := _labelled_end(match):
            yield match.start(1), end
    for match in _INTERNATIONAL.finditer(text):
        if span := _international(match):
            yield span
    for match in _NATIONAL.finditer(text):
        if not _is_something_else(text, *match.span()):
            yield match.span()


def _labelled_end(match: re.Match[str]) -> int:
    """The end of a number after a label; 0 where it is none: 7 to 15 digits, no date, no version, no round number."""
    number = match[1]
    while len(_DIGIT.findall(number)) > 15 and (shorter := _LAST_GROUP.sub("", number)) != number:
        number = shorter
    digits = "".join(_DIGIT.findall(number))
    dotted = _NUMBER_WITH_DOTS.fullmatch(number) and not _DOTTED_PHONE.fullmatch(number)
    if not 7 <= len(digits) <= 15 or dotted or _DATE.match(number) or digits.endswith("00000"):
        return 0
    end = match.start(1) + len(number)
    return 0 if _UNIT.match(match.string, end) else end


def _international(match: re.Match[str]) -> tuple[int, int] | None:
    """The end of the longest number that a country could have assigned."""
    number, start = match[0], match.start()
    if (_NUMBER_WITH_DOTS.fullmatch(number) and number.count(".") == 1) or {".", "-"} <= set(number):
        return None  # a decimal with its sign, or two, of a place; +CC.NUMBER is met in registries of domains alone
    if number[0] == "(" and not _CODE_IN_BRACKETS.match(number):
        number, start = number[1:], start + 1
    number = number[: len(number) - max(0, number.count(")") - number.count("("))]
    while not _is_given_out("".join(_DIGIT.findall(number.replace("(0)", ""))).removeprefix("00")):
        shorter = _LAST_GROUP.sub("", number)
        if shorter == number:
            return None
        number = shorter
    end = start + len(number)
    return None if _is_something_else(match.string, start, end) else (start, end)


def _is_given_out(digits: str) -> bool:
    return 9 <= len(digits) <= 15 and _COUNTRY.match(digits) is not None and not digits.endswith("00000")


def says_otherwise(text: str, start: int) -> bool:
    """Whether the words before a position say that the number is an order, an account, a version or the like."""
    return _OTHERWISE.search(text, max(0, start - 24), start) is not None


def _is_something_else(text: str, start: int, end: int) -> bool:
    number = text[start:end]
    plain = number.removeprefix("+").isdigit()
    amount = plain and (number.endswith("00000") or _AMOUNT.search(text, max(0, start - 24), start) is not None)
    return amount or says_otherwise(text, start) or _UNIT.match(text, end) is not None
