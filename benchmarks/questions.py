"""A task in the form of TREC's questions (Li & Roth 2002): a question a row, its label the kind of its answer.

python -m benchmarks.questions TARGET     in the project, with its sample data; TARGET: the folder of the task's files

abbreviation, description, entity, human, location and number, in about TREC's shares. Derived, not collected: half of
the entity, human and location questions ask for the title of a Wikipedia lead by its own first sentence ("What clastic
rock is composed of ..."), the rest are frames written by hand around titles and words. Many questions begin alike, and
the noun that decides often stands in no training row, as in TREC. Each lead is asked about in one split alone. Every
choice is made by a hash: equal leads give equal bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LEADS = Path("data/corpus/wiki_leads_en.jsonl.gz")
SEED = "lianzi questions 1"
ROWS = {"train": 2400, "validation": 500, "test": 700}
SHARES = {
    "entity": 0.225,
    "human": 0.225,
    "description": 0.21,
    "number": 0.165,
    "location": 0.15,
    "abbreviation": 0.025,
}
FROM_LEADS = 0.5
"""Share of the entity, human and location questions that a lead's own sentence asks."""
IN_SHARED_FRAMES = 0.6
"""Share of the other questions that begin alike whatever their label: a noun decides."""
UNSEEN = 0.3
"""Share of the words of each list that stand in validation and test rows alone."""
LONGEST = 16
"""Words of a question."""

SENTENCE = re.compile(r"(?:The |An? )?[^.]{2,90}? (is|was|are|were) (?:an?|the|one of the) ([^.;:(]+)")
LINKS = (
    "that|which|who|of|in|on|at|near|between|from|for|by|to|with|"
    r"\w+ed|known|written|made|built|held|found|spoken|given"
)
CLAUSE = re.compile(rf"(.+?),? ({LINKS}) (.+)")
SHORT = re.compile(r"((?:[A-Z][\w’'-]+ (?:(?:of|the|and|for|on) )*)+[A-Z][\w’'-]+) \(([A-Z]{2,6})[;,)]")
BORN = re.compile(r"\((?:[^()]*\b)?(?:born|c\.|\d{1,4})\b[^()]*\)")


def words(text: str) -> tuple[str, ...]:
    """The words of a list, `_` for a space."""
    return tuple(word.replace("_", " ") for word in text.split())


HUMAN_NOUNS = frozenset(
    words(
        "actor actress activist admiral anthropologist architect artist astronaut astronomer author ballplayer "
        "biologist botanist boxer businessman chemist chess-player civil-servant commander composer comedian "
        "conductor cosmonaut cricketer dancer designer diplomat director dramatist economist emperor empress engineer "
        "essayist explorer filmmaker footballer geneticist general geographer geologist guitarist historian humanist "
        "industrialist inventor jurist king lawyer leader linguist magician mathematician missionary monarch monk "
        "musician naturalist navigator novelist nun nurse painter philanthropist philosopher photographer physician "
        "physicist pianist pirate playwright poet politician polymath pope president priest prince princess prophet "
        "psychiatrist psychologist queen rapper reformer revolutionary ruler saint scholar scientist sculptor "
        "sociologist singer songwriter soldier statesman suffragette surgeon swimmer theologian violinist writer "
        "player driver officer critic theorist"
    )
)
LOCATION_NOUNS = frozenset(
    words(
        "archipelago bay canal canyon capital cave channel city coast continent country county desert district "
        "empire-state fjord forest glacier gulf island islands isthmus kingdom lake metropolis municipality mountain "
        "mountains nation ocean park peninsula plain plateau port province region republic reservoir river sea "
        "settlement site state strait suburb territory town valley village volcano waterfall range basin area "
        "subregion landmass massif"
    )
)
NOBODY = frozenset(words("year century number unit time period date era age amount process act study branch state"))
"""Heads that ask for a number or a description as well as for a thing."""


@dataclass(frozen=True)
class Lead:
    """A lead paragraph. `name`: its title as it stands in a sentence; `about`: human, location, entity or nothing."""

    id: str
    name: str
    text: str
    about: str

    def share(self, purpose: str) -> float:
        """A number from 0 to 1, by a hash."""
        return _hash(self.id, purpose) / 16**16

    def pick(self, purpose: str, options: Sequence[T]) -> T:
        """One of the options, by a hash."""
        return options[int(self.share(purpose) * len(options))]


def _hash(*words: str) -> int:
    return int(hashlib.sha256("|".join((SEED, *words)).encode()).hexdigest()[:16], 16)


def read_leads(path: Path) -> list[Lead]:
    """The leads in the order of a hash. Lists, and titles of more than four words, are left out."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = [_lead(row) for row in rows if not re.match(r"(List|History|Outline|Timeline) of|\d", row["title"])]
    return sorted((one for one in found if len(one.name.split()) <= 4), key=lambda one: _hash(one.id))


def _lead(row: dict[str, str]) -> Lead:
    name = re.sub(r" \(.*\)", "", row["title"])
    small = name[:1].lower() + name[1:]
    common = bool(re.search(rf"\b{re.escape(small)}\b", row["text"]))
    return Lead(row["id"], small if common else name, row["text"], _about(row["text"]))


def _about(text: str) -> str:
    parts = _parts(text)
    if parts is None:
        return ""
    head = parts[1].split()[-1].lower().strip(",")
    if head in HUMAN_NOUNS and (BORN.search(text[:160]) or parts[0] == "was"):
        return "human"
    if head in LOCATION_NOUNS:
        return "location"
    return "" if head in NOBODY | HUMAN_NOUNS else "entity"


def _parts(text: str) -> tuple[str, str, str, str] | None:
    """Verb, the noun phrase that says what the title is, the word after it, and the rest of the first sentence."""
    sentence = SENTENCE.match(re.sub(r" ?\([^()]*\)", "", text))
    if sentence is None:
        return None
    clause = re.match(
        r"(.+?),? (that|which|who|of|in|on|at|near|between|from|for|by|to|with|\w+ed|known) (.+)", sentence[2]
    )
    if clause is None or len(clause[1].split()) > 5 or "," in clause[1] or " and " in clause[1]:
        return None
    return sentence[1], clause[1], clause[2], clause[3]


def asked_by_its_sentence(lead: Lead) -> str | None:
    """The question that a lead's first sentence answers, or None where it has not the form."""
    parts = _parts(lead.text)
    if parts is None or not lead.about:
        return None
    verb, noun, link, rest = parts
    rest = re.split(r"[,;]| and (?:the|is|was|one)\b", rest)[0]
    rest = " ".join(rest.split()[: LONGEST - 4 - len(noun.split())])
    rest = re.sub(r"(?: (?:of|in|the|a|an|and|or|to|by|for|with|from|that|which|as|at|on|its|their))+$", "", rest)
    if not rest or lead.name.lower() in f"{noun} {rest}".lower():
        return None
    which = lead.pick("which", ("What", "What", "Which"))
    if link == "of":
        return f"What {verb} the {noun} of {rest}?"
    if link in ("that", "which", "who"):
        return f"{which} {noun} {rest}?"
    if lead.about == "human" and lead.pick("who", (True, False)):
        return f"Who {verb} the {noun} {link} {rest}?"
    return f"{which} {noun} {verb} {link} {rest}?"


NUMBER_OF = words(
    "population height length area age average_temperature boiling_point melting_point speed weight price cost "
    "diameter birth_date year_of_birth distance depth number_of_employees atomic_number duration density "
    "circumference altitude annual_rainfall zip_code phone_number mortality_rate unemployment_rate "
    "gross_domestic_product budget half-life wingspan life_expectancy average_salary tuition murder_rate "
    "fine_for_littering jersey_number horsepower voltage calorie_count dosage capacity mileage frequency "
    "wavelength share_of_oxygen odds turnout"
)
HOW = words("tall long big old far fast hot deep heavy wide large much high many_feet_above_sea_level loud rich often")
COUNTED = words(
    "people islands players rooms chapters languages species moons wives children teeth bones books states floors "
    "neurons chromosomes strings keys soldiers albums goals medals calories muscles islands watts continents "
    "sides"
)
DID = words(
    "die begin end open become_independent win_the_Nobel_Prize move_to_Paris lose_power erupt marry collapse close"
)
DONE = words("born founded built discovered invented destroyed abolished published opened first_sold conquered banned")
LOCATION_OF = words(
    "capital birthplace largest_city location source headquarters home_town highest_peak burial_place main_port "
    "oldest_city busiest_airport longest_river seat_of_government smallest_province northernmost_point "
    "deepest_lake home_stadium summer_residence native_habitat sister_city largest_island country_of_origin "
    "neighbour_to_the_east"
)
PLACES = words(
    "country city state continent province county town village river island ocean lake street mountain_range "
    "peninsula desert airport museum stadium bay prefecture canton archipelago harbour university_town strait "
    "planet"
)
PLACE_DID = words(
    "exports_the_most_coffee hosted_the_Olympics_twice is_known_as_the_Eternal_City was_divided_by_a_wall "
    "is_farthest_north has_the_most_people borders_Chile lies_on_two_seas was_buried_under_ash sold_Alaska "
    "is_ruled_by_a_sultan has_no_army is_the_driest_on_earth was_once_called_Ceylon has_the_world's_highest_falls "
    "drinks_the_most_beer"
)
PEOPLE = words(
    "actor author president inventor scientist king queen general painter explorer singer pope lawyer philosopher "
    "astronaut composer spy senator boxer emperor prime_minister goalkeeper sculptor novelist judge architect "
    "chef daughter comedian outlaw physicist ballerina pharaoh cartoonist tennis_player"
)
GROUPS = words("company team band organization tribe university family newspaper political_party football_club airline")
PERSON_DID = words(
    "wrote_about discovered invented painted founded killed designed directed conquered studied married "
    "assassinated succeeded defeated composed_a_song_about was_the_first_to_visit betrayed financed translated "
    "opposed portrayed"
)
ENTITY_OF = words(
    "official_language currency color symbol national_animal main_ingredient national_flower "
    "chemical_symbol_and_name favorite_food best_known_book dominant_religion main_export national_dish "
    "first_name_of_the_ship state_bird trademark pet fuel natural_enemy nickname maiden_ship theme_song "
    "middle_name_of_the_dog flag_colour cure vaccine"
)
THINGS = words(
    "animal disease color food book instrument language plant sport film drug game metal gas bird tree vitamin "
    "weapon religion planet_rover fabric drink dance breed_of_dog card_game currency gem poem play software organ "
    "hormone insect festival award vehicle tool virus opera dessert spice"
)
THING_DID = words(
    "causes_malaria won_the_Oscar_for_best_picture is_made_from_barley can_fly_backwards is_played_on_a_court "
    "has_six_strings grows_underground lives_longest is_used_in_brewing turns_litmus_red never_sleeps "
    "protects_against_polio melts_in_the_hand was_smuggled_out_of_China is_the_hardest_known is_eaten_at_Easter "
    "measures_earthquakes_best is_lighter_than_air"
)
DESCRIPTION_OF = words(
    "origin meaning definition purpose cause function role importance history effect difference_in_use nature "
    "significance theory_behind evidence_for background treatment_of_people_in main_idea working_principle legend "
    "controversy_about process_of_making aftermath etymology symbolism etiquette appeal"
)
SINCE = words(
    "so_famous important dangerous so_rare banned controversial named_so taught_in_schools so_expensive popular"
)

NOUNS = {
    "number": NUMBER_OF,
    "location": LOCATION_OF + PLACES,
    "human": PEOPLE + GROUPS,
    "entity": ENTITY_OF + THINGS,
    "description": DESCRIPTION_OF,
}
"""Label -> the words that decide for it in the frames that all labels share."""

SHARED = (
    "What is the {noun} of {name}?",
    "What was the {noun} of {name}?",
    "What {noun} is associated with {name}?",
    "What {noun} do people connect with {name}?",
    "Name the {noun} of {name}.",
    "Tell me the {noun} of {name}.",
    "Which {noun} belongs to {name}?",
    "What's the {noun} for {name}?",
    "What {noun} did {name} have?",
    "What is the best known {noun} in {name}?",
    "Do you know the {noun} of {name} or {other}?",
)

OWN: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "number": (
        ("How {word} is {name}?", HOW),
        ("How many {word} does {name} have?", COUNTED),
        ("How many {word} were there in {name}?", COUNTED),
        ("When did {name} {word}?", DID),
        ("What year was {name} {word}?", DONE),
        ("When was {name} {word}?", DONE),
    ),
    "location": (
        ("Where is {name} {word}?", words("found located buried spoken made kept worn sold")),
        ("Where did {name} {word}?", words("live begin die originate end_up hide settle retire")),
        ("What {word}?", PLACE_DID),
        ("Where can one see {name} and {other}?", ()),
    ),
    "human": (
        ("Who {word} {name}?", PERSON_DID),
        ("Who was it that {word} {name}?", PERSON_DID),
        ("Whose {word} is {name}?", PEOPLE),
    ),
    "entity": (
        ("What {word}?", THING_DID),
        ("What's another {word} for {name}?", words("word term name expression label")),
        ("What did {name} {word}?", words("make use love fear eat wear drive play drink collect")),
    ),
    "description": (
        ("What is {name}?", ()),
        ("What are {name} and {other}?", ()),
        ("How does {name} work?", ()),
        ("Why is {name} {word}?", SINCE),
        ("What does {name} mean?", ()),
        ("How did {name} get its name?", ()),
        ("What is {name} {word}?", words("known_for famous_for used_for good_for noted_for")),
        ("What {word} {name}?", words("causes led_to happened_to is_so_special_about came_of became_of")),
        ("Define {name}.", ()),
    ),
}
"""Label -> frames of its own, with the words that fill them."""


def abbreviation(lead: Lead) -> str | None:
    """A question for a short form that a lead gives of a name, or for what it stands for; None where there is none."""
    found = SHORT.search(lead.text)
    if found is None:
        return None
    name, short = found[1], found[2]
    return lead.pick(
        "short",
        (
            f"What does {short} stand for?",
            f"What is {short} short for?",
            f"What is the abbreviation for {name}?",
            f"What does the abbreviation {short} mean?",
            f"What is the acronym for {name}?",
            f"What do the letters {short} stand for?",
            f"What is the full form of {short}?",
            f"How is {name} abbreviated?",
        ),
    )


def framed(label: str, split: str, lead: Lead, other: Lead) -> str | None:
    """A question of this label in a frame around a lead, or None where the lead gives none."""
    if label == "abbreviation":
        return abbreviation(lead)
    names = {"name": lead.name, "other": other.name}
    if lead.share("shared frame") < IN_SHARED_FRAMES:
        noun = lead.pick("noun", known(NOUNS[label], split))
        return lead.pick("frame", SHARED).format(noun=noun, **names)
    frame, fillers = lead.pick("frame", OWN[label])
    return frame.format(word=lead.pick("word", known(fillers, split)) if fillers else "", **names)


def known(options: Sequence[str], split: str) -> list[str]:
    """The words of a list that a split may use: some stand in no training row."""
    unseen = [word for word in options if _hash("unseen", word) / 16**16 < UNSEEN]
    return list(options) if split != "train" else [word for word in options if word not in unseen] or list(options)


def questions(leads: Sequence[Lead]) -> dict[str, list[dict[str, str]]]:
    """Split -> its rows. A lead gives one question: by its own sentence as long as such are wanted, else of the label
    that lacks most of its share."""
    found: dict[str, list[dict[str, str]]] = {split: [] for split in ROWS}
    by_sentence, counts = ({split: Counter[str]() for split in ROWS} for _ in range(2))
    seen: set[str] = set()
    for place, lead in enumerate(leads):
        split = _split(_hash(lead.id, "split") % sum(ROWS.values()))
        wanted = {label: share * ROWS[split] for label, share in SHARES.items()}
        tried: list[tuple[str, str | None]] = []
        if lead.about and by_sentence[split][lead.about] < FROM_LEADS * wanted[lead.about]:
            tried.append((lead.about, asked_by_its_sentence(lead)))
        by_sentence[split][lead.about] += bool(tried and tried[0][1])
        labels = sorted(wanted, key=lambda label: counts[split][label] / wanted[label])
        tried += [(label, framed(label, split, lead, leads[place - 1])) for label in labels]
        for label, text in tried:
            open_ = counts[split][label] < wanted[label]
            if open_ and text is not None and text.lower() not in seen and len(text.split()) <= LONGEST:
                seen.add(text.lower())
                counts[split][label] += 1
                found[split].append({"text": text[:1].upper() + text[1:], "label": label})
                break
    return {split: sorted(rows, key=lambda row: _hash(row["text"])) for split, rows in found.items()}


def _split(number: int) -> str:
    for split, count in ROWS.items():
        if number < count:
            return split
        number -= count
    raise AssertionError


def write_task(target: Path, leads: Path = LEADS) -> dict[str, int]:
    """Write train, validation and test rows as JSON lines; how many there are of each."""
    target.mkdir(parents=True, exist_ok=True)
    rows = questions(read_leads(leads))
    for split, found in rows.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
        (target / f"{split}.jsonl").write_text(lines, encoding="utf-8", newline="\n")
    return {split: len(found) for split, found in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path)
    print(write_task(parser.parse_args().target))


if __name__ == "__main__":
    main()
