"""A guide to a town that does not exist, and questions about it: the corpus of A2.

Nobody can know the answers but from the paragraphs. `notions` is how the model understands a
question: a sentence answers it when each notion is found in it, in one of its wordings. A searching
engine that compares words knows none of these synonyms.
"""

from __future__ import annotations

from dataclasses import dataclass

PARAGRAPHS = (
    "The lighthouse of Halmstow stands on Cray Point. Its plans were drawn by Ida Calloway. It is "
    "painted in bands of white and ochre.",
    "Cray Point is the most eastern headland of the county. Seals rest on its ledges in March.",
    "Halmstow harbour has two basins. The outer basin was dug in 1871 by prisoners from Orrin.",
    "The fish market opens at four in the morning. Most of the catch is sole and turbot.",
    "The town hall of Halmstow burned down in 1902. The fire began in the kitchen of the clerk.",
    "The new seat of the council was finished in 1909. Its tower holds eleven bells.",
    "The bells of the town hall ring at noon. A peal was sponsored by the brewer Tobias Wren.",
    "Wren's brewery makes a dark beer with seaweed. It was sold to a cooperative in 1988.",
    "The railway came to Halmstow in 1864. The branch line from Orrin was closed to passengers in "
    "1966.",
    "Trains of salt still used the branch for a decade. The last wagon left on a Sunday in 1977.",
    "Salt has been won at Halmstow since Roman times. The pans cover ninety hectares.",
    "The salt museum shows tools of the pan workers. Entry costs six crowns, and nothing for "
    "children.",
    "The library of Halmstow owns a map of 1540 on vellum. It was a gift of the widow Agnes Thorn.",
    "Agnes Thorn wrote three novels about fishermen. The best known of them is The Grey Net.",
    "The school of navigation was founded in 1790. Its first master was a Dane, Captain Holm.",
    "Captain Holm sailed twice to Greenland. His log books are kept in the cellar of the school.",
    "The hospital was a convent before the reform. The nuns brewed a syrup against coughs.",
    "Saint Brannoc's church has a wooden spire. It leans by almost two metres towards the sea.",
    "The organ of Saint Brannoc's was built by Matthias Kell. It has two thousand pipes.",
    "The theatre in Rope Street seats four hundred people. It opened with an opera about whales.",
    "Rope Street is as long as the ropes that were twisted there. It measures three hundred and "
    "forty metres.",
    "The river Issel meets the sea at Halmstow. Its source is a spring on Mount Tarn.",
    "Mount Tarn is climbed by two paths. The northern one is barred by snow until May.",
    "The old bridge over the Issel has seven arches. A flood carried off the eighth in 1740.",
    "The ferry to Lume Island sails four times a day. The crossing takes fifty minutes.",
    "Lume Island has no cars and sixty inhabitants. Letters arrive there on Tuesdays.",
    "The football team of Halmstow plays in green. It has won the county cup five times.",
    "The stadium was named after Rosa Linden. She kept the goal for nineteen seasons.",
    "The botanical garden grows four hundred kinds of heather. It was planted by a retired judge.",
    "The festival of lanterns is held in October. Children carry turnips with candles to the quay.",
    "The lifeboat is called Patience. Its crew of volunteers has saved two hundred and six lives.",
    "The weather station on the mole has measured since 1881. The highest wind was in January "
    "1953.",
    "The tide mill ground corn until the war. An engineer from Delft restored its wheel.",
    "Halmstow's newspaper is the Morning Buoy. Its founder set the type himself.",
)


@dataclass(frozen=True)
class Question:
    text: str
    answer: str
    notions: tuple[str, ...]


QUESTIONS = (
    Question(
        "Who was the architect of the lighthouse?",
        "Ida Calloway",
        ("plans|architect", "drawn|designed"),
    ),
    Question("When was the outer basin dug?", "1871", ("outer basin", r"\b1\d{3}\b")),
    Question(
        "At what hour can one buy seafood from the boats of Halmstow?",
        "four in the morning",
        ("fish market|seafood", "opens"),
    ),
    Question("Where did the fire in the town hall begin?", "the kitchen", ("fire", "began")),
    Question(
        "In which year was the new town hall of Halmstow completed?",
        "1909",
        ("town hall|seat of the council", "completed|finished"),
    ),
    Question("How many bells hang in the tower?", "eleven", ("tower|hall", r"\w+ bells")),
    Question("Who sponsored a peal of the bells?", "Tobias Wren", ("peal", "sponsored")),
    Question("What does the brewery put into its beer?", "seaweed", ("beer", "with|of")),
    Question(
        "When did people travel by rail to Halmstow for the last time?",
        "1966",
        ("passengers", "closed"),
    ),
    Question(
        "When did the last train of salt run?", "Sunday in 1977", ("last", "wagon|train", "left")
    ),
    Question("How large are the salt pans?", "ninety hectares", ("pans", "cover|large")),
    Question(
        "What is the price of a visit to the museum for adults?",
        "six crowns",
        ("costs|price", "crowns"),
    ),
    Question(
        "Who gave the library of Halmstow its oldest map?",
        "Agnes Thorn",
        ("gift|gave",),
    ),
    Question(
        "Which book of Agnes Thorn is the most famous?",
        "The Grey Net",
        ("best known|famous",),
    ),
    Question(
        "Who was the first teacher at the school of navigation?",
        "Captain Holm",
        ("first", "master|teacher"),
    ),
    Question(
        "Where are the journals of the voyages to Greenland?",
        "the cellar of the school",
        ("log books|journals", "kept"),
    ),
    Question("What did the nuns brew?", "a syrup against coughs", ("nuns", "brewed")),
    Question(
        "How crooked is the steeple of the church?",
        "almost two metres",
        ("leans|crooked", "metres"),
    ),
    Question("Who built the organ?", "Matthias Kell", ("organ", "built")),
    Question(
        "How large an audience fits into the theatre?", "four hundred", ("seats|fits", "people")
    ),
    Question(
        "Where does the water under the old bridge over the Issel come from?",
        "a spring on Mount Tarn",
        ("source", "spring|mountain"),
    ),
    Question("Until when is the northern path up Mount Tarn closed?", "May", ("northern", "until")),
    Question("How long is one under way to Lume Island?", "fifty minutes", ("crossing", "minutes")),
    Question(
        "On which day does the postman come to the people of the island?",
        "Tuesdays",
        ("letters", "arrive"),
    ),
    Question(
        "In whose honour is the ground of the football team called?",
        "Rosa Linden",
        ("stadium", "named"),
    ),
    Question(
        "What did the person do for a living who laid out the heather of the botanical garden?",
        "judge",
        ("planted|laid out",),
    ),
    Question(
        "How many people owe their life to the rescue ship of Halmstow?",
        "two hundred and six",
        ("saved", "lives"),
    ),
    Question(
        "When did the worst storm blow over the town of Halmstow?",
        "January 1953",
        ("highest wind", r"\b1\d{3}\b"),
    ),
)
