"""Derive the data of examples/: `python infra/examples.py RAW_FOLDER CHATTERBOT REVIEWS LEXICON examples`.

RAW_FOLDER has the extracts of infra/sample_data.py, CHATTERBOT is the folder `data` of the package chatterbot-corpus,
REVIEWS the file amazonReviewSnippets_GroundTruth.txt of vaderSentiment's source, LEXICON the folder `en` of textblob.
Every choice is made by a hash of the text, so the same sources give the same bytes again. What is called derived was
made by a rule from another field, not by a person who read the text: examples/NAME/data/SOURCES.md says by which.
"""

from __future__ import annotations

import json
import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from brill import Tagger
from dates_in_chinese import rows as dates
from example_texts import gaps, reviews, two_days
from help_questions import splits as help_questions
from library_functions import CORPUS_FUNCTIONS, library_functions
from names_in_chinese import titled
from ruamel.yaml import YAML
from sample_data import Row, key, mixed, read, write
from small_functions import functions, problems
from small_letters import letters
from small_orders import conversations
from small_pizzas import orders
from small_stories import stories
from small_teachers import relations

CORPUS_LEADS = 450
INTENT_ROWS, INTENT_ROWS_ZH = 60, 24
"""The least that a topic needs to be an intent."""
YEAR_ROWS, DATE_ROWS, CORPUS_POEMS = 1600, 6000, 1000
FUNCTIONS, PROBLEMS = 5000, 40
TAGGED_ROWS, GAP_ROWS = 1800, 2300
LONGEST_LINE, QUESTION_CHARACTERS = 160, 240
INSTEAD = ("tokens", "context", "messages", "prompt")
"""Columns that a row has in its file in place of `text`."""
_WORD = re.compile(r"\w+(?:[-'’]\w+)*|[^\w\s]")
_SENTENCE = re.compile(r"(?<=[a-z0-9)][.]) (?=[A-Z])")
_YEAR = re.compile(r"1[0-9]{3}|20[0-2][0-9]")


def main(raw: Path, chatterbot: Path, rated: Path, lexicon: Path, examples: Path) -> None:
    leads = [row for row in unique(read(raw / "wiki_leads_en.jsonl.gz")) if row["text"]]
    poems = mixed(unique(read(raw / "classical_poetry_zh.jsonl.gz")))
    # Once for all whose settings name them: `lianzi example` brings them along.
    for name, texts in {
        "wiki_leads_en": mixed(leads)[:CORPUS_LEADS],
        "classical_poetry_zh": poems[:CORPUS_POEMS],
    }.items():
        write(examples / "corpora" / f"{name}.jsonl.gz", ({"text": row["text"]} for row in texts))
    free = mixed(leads)[CORPUS_LEADS:]
    make(examples / "multi_label", "pizza", orders(4000), {})
    make(examples / "ner", "names", tagged(free), {})
    make(examples / "question_answering", "facts", questions(free), {})
    make(examples / "relation", "people", relations(1000), {})
    addresses = [row for row in read(raw / "state_of_the_union_en.jsonl.gz") if row["id"] >= "1900"]
    make(examples / "regression", "year", years(addresses))
    make(examples / "intent", "intent", intents(chatterbot / "english", INTENT_ROWS), {})
    make(examples / "intent_zh", "intent", intents(chatterbot / "chinese", INTENT_ROWS_ZH))
    make(examples / "translation", "dates", islice(dates(), DATE_ROWS), {})
    written, others = besides(letters(4300), 700)
    make(examples / "summarization", "gists", written, {"summarization_texts": others})
    for split, asked in help_questions().items():
        write(examples / "faq" / "data" / "tasks" / "help" / f"{split}.jsonl.gz", asked)
    told_stories, others = besides(stories(4200), 800)
    make(examples / "story", "story", told_stories, {"story_texts": others})
    code(examples / "code")
    chats, others = besides(conversations(5000), 2400)
    make(examples / "dialogue", "chat", chats, {"dialogue_texts": others})
    make(examples / "sentiment", "sentiment", reviews(rated))
    make(examples / "pair", "days", two_days(), {})
    sentences = (first_sentence(row["text"]) for row in free)
    make(examples / "multiple_choice", "gap", islice(gaps(sentences), GAP_ROWS), {})
    make(examples / "pos", "parts", parts(free, Tagger.read(lexicon)), {})
    make(examples / "ner_zh", "names", titled(poems[CORPUS_POEMS:]), {})


def unique(rows: Iterable[Row]) -> Iterator[Row]:
    seen: set[str] = set()
    for row in rows:
        if row["text"] not in seen:
            seen.add(row["text"])
            yield row


def make(folder: Path, task: str, rows: Iterable[Row], corpora: Mapping[str, Iterable[Row]] | None = None) -> None:
    """70/15/15 of the texts, a text's rows together; `corpora`: its own, None for the texts of the train rows."""
    every = list({json.dumps(row): row for row in rows}.values())
    texts = [row["text"] for row in mixed(unique(every))]
    share = round(0.15 * len(texts))
    parts = {"validation": {*texts[:share]}, "test": {*texts[share : 2 * share]}, "train": {*texts[2 * share :]}}
    splits = {split: [row for row in mixed(every) if row["text"] in part] for split, part in parts.items()}
    for split, part in splits.items():
        write(folder / "data" / "tasks" / task / f"{split}.jsonl.gz", map(told, part))
    own = {f"{folder.name}_texts": [{"text": row["text"]} for row in unique(splits["train"])]}
    for name, texts in (own if corpora is None else corpora).items():
        write(folder / "data" / "corpus" / f"{name}.jsonl.gz", texts)


def besides(rows: Iterable[Row], count: int) -> tuple[list[Row], list[Row]]:
    """All rows but the last `count`, and the texts of these, for a corpus that no row of the task stands in."""
    every = list(rows)
    return every[:-count], [{"text": row["text"]} for row in every[-count:]]


def code(folder: Path) -> None:
    """Functions by rule, tests of some of the test rows, and as corpus the library of the Python that runs this."""
    rows = list(unique(functions(FUNCTIONS)))
    library = mixed(unique(library_functions(Path(sysconfig.get_path("stdlib")))))
    make(folder, "code", rows, {"python_library": library[:CORPUS_FUNCTIONS]})
    tested = [row["prompt"] for row in read(folder / "data" / "tasks" / "code" / "test.jsonl.gz")][:PROBLEMS]
    by_prompt = {row["prompt"]: row for row in rows}
    lines = "".join(f"{line}\n" for line in problems(by_prompt[prompt] for prompt in tested))
    (folder / "data" / "problems.jsonl").write_text(lines, encoding="utf-8")


def told(row: Row) -> Row:
    """A row as it stands in the file: what its text was made of in place of the text, and no tests of a program."""
    left_out = {"text", "test"} if row.keys() & {*INSTEAD} else set()
    return {name: value for name, value in row.items() if name not in left_out}


def tagged(leads: Iterable[Row]) -> Iterator[Row]:
    """A lead's first sentence, in which titles of leads about people and places are names, and years dates."""
    leads = list(leads)
    kinds = {"People": "PER", "Geography": "LOC"}
    titles = {tuple(_WORD.findall(row["title"])): kinds[row["topic"]] for row in leads if row["topic"] in kinds}
    titles = {words: kind for words, kind in titles.items() if all(word[0].isupper() for word in words[:1])}
    for row in leads:
        tokens = _WORD.findall(first_sentence(row["text"]))
        tags = tags_of(tokens, titles)
        if 5 <= len(tokens) <= 40 and any(tag != "O" for tag in tags):
            yield {"text": " ".join(tokens), "tokens": tokens, "tags": tags}


def parts(leads: Iterable[Row], tagger: Tagger) -> Iterator[Row]:
    """A lead's first sentence, with the part of speech of each word."""
    sentences = (_WORD.findall(first_sentence(row["text"])) for row in leads)
    for tokens in islice((one for one in sentences if 6 <= len(one) <= 30), TAGGED_ROWS):
        yield {"text": " ".join(tokens), "tokens": tokens, "tags": tagger.tags(tokens)}


def tags_of(tokens: list[str], titles: Mapping[tuple[str, ...], str]) -> list[str]:
    """The longest title that begins at each word, from the left; a year by itself is a date."""
    tags = ["O"] * len(tokens)
    place = 0
    while place < len(tokens):
        length = next((n for n in range(5, 0, -1) if tuple(tokens[place : place + n]) in titles), 0)
        if length:
            kind = titles[tuple(tokens[place : place + length])]
            tags[place : place + length] = [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        elif _YEAR.fullmatch(tokens[place]):
            tags[place] = "B-DATE"
        place += max(length, 1)
    return tags


def questions(leads: Iterable[Row]) -> Iterator[Row]:
    """What a lead is about, answered with the description beside it where its text says that too; and where a place
    lies, answered with the first place behind `in` or `of`. Where half of the others lie has no answer."""
    leads = list(leads)
    places = {row["title"] for row in leads if row["topic"] == "Geography" and row["title"][0].isupper()}
    for row in leads:
        context = row["text"][:QUESTION_CHARACTERS].rsplit(" ", 1)[0]
        for question, span in {**what(row, context), **where(row, context, places)}.items():
            answers = {"text": [context[slice(*span)]] if span else [], "answer_start": [span[0]] if span else []}
            yield {"text": context, "question": question, "context": context, "answers": answers}


def what(lead: Row, context: str) -> dict[str, tuple[int, int] | None]:
    """The question that the description beside a lead answers, where its text has the words of it."""
    words = re.escape(lead["description"] or "")
    found = re.search(rf"\b{words}\b", context, re.IGNORECASE) if " " in words else None
    asked = "Who" if lead["topic"] == "People" else "What"
    return {f"{asked} is {lead['title']}?": found.span()} if found else {}


def where(lead: Row, context: str, places: set[str]) -> dict[str, tuple[int, int] | None]:
    """The place that a place lies in; of half of what else has a description in its text, no place at all."""
    title, sentence = lead["title"], first_sentence(context)
    named = [(name, begin) for name, begin in names(sentence, places) if name not in title and title not in name]
    if lead["topic"] == "Geography":
        behind = [(begin, begin + len(name)) for name, begin in named if sentence[:begin].endswith((" in ", " of "))]
        return {f"Where is {title}?": span for span in behind[:1]}
    nowhere = not named and what(lead, context) and int(key(lead), 16) % 2
    return {f"Where is {title}?": None} if nowhere else {}


def names(sentence: str, places: set[str]) -> Iterator[tuple[str, int]]:
    """The places of a sentence, the longest that begins at each word, and where."""
    spans = [found.span() for found in _WORD.finditer(sentence)]
    end_before = 0
    for number, (begin, _) in enumerate(spans):
        stops = [end for _, end in spans[number : number + 4]]
        found = next((sentence[begin:end] for end in reversed(stops) if sentence[begin:end] in places), None)
        if found and begin >= end_before:
            yield found, begin
            end_before = begin + len(found)


def years(addresses: Iterable[Row]) -> Iterator[Row]:
    """Passages of an address without numbers in them, and the year it was given in."""
    found = [
        {"text": text, "label": int(row["id"][:4])}
        for row in addresses
        for text in passages(row["text"], 400)
        if not re.search(r"\d", text)
    ]
    yield from mixed(found)[:YEAR_ROWS]


def intents(folder: Path, least: int) -> Iterator[Row]:
    """What people say in dialogues of one topic; a line of two topics is of neither."""
    said: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.yml")):
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        lines = (line for dialogue in content["conversations"] for line in dialogue if isinstance(line, str))
        said[path.stem] = {" ".join(line.split()) for line in lines if len(line) <= LONGEST_LINE}
    counts = Counter(line for lines in said.values() for line in lines)
    for topic, lines in said.items():
        own = sorted(line for line in lines if counts[line] == 1)
        if len(own) >= least:
            yield from ({"text": line, "label": topic} for line in own)


def passages(text: str, least: int) -> Iterator[str]:
    """A text's sentences, so many together that they have `least` characters."""
    held: list[str] = []
    for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(text.split())):
        held.append(sentence)
        if sum(map(len, held)) >= least:
            yield " ".join(held)[: 2 * least]
            held = []


def first_sentence(text: str) -> str:
    return _SENTENCE.split(" ".join(text.split()))[0]


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit("usage: python infra/examples.py RAW_FOLDER CHATTERBOT REVIEWS LEXICON examples")
    main(*map(Path, sys.argv[1:]))
