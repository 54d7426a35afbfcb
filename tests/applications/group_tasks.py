"""Twelve tasks for the group chat of A5, each with the first program that comes to mind.

Eight programs work at once, two fail with an error, one forgets to print what it found, and one
task needs facts that nobody in the team has.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """`code` is "" where there is nothing to program; then no result is right."""

    text: str
    code: str
    expected: str


TASKS = (
    Task(
        "Which are the prime numbers below twenty?",
        "print([n for n in range(2, 20) if all(n % d for d in range(2, n))])",
        "[2, 3, 5, 7, 11, 13, 17, 19]",
    ),
    Task(
        "Count the words of the sentence 'the sea is in the east' and show the count of each.",
        "words = 'the sea is in the east'.split()\n"
        "print({w: words.count(w) for w in sorted(set(words))})",
        "{'east': 1, 'in': 1, 'is': 1, 'sea': 1, 'the': 2}",
    ),
    Task(
        "On which weekday was the first of March 2000?",
        "import datetime\nprint(datetime.date(2000, 3, 1).strftime('%A'))",
        "Wednesday",
    ),
    Task(
        "Turn 40 degrees Celsius and 0 degrees Celsius into Fahrenheit.",
        "print([c * 9 // 5 + 32 for c in (40, 0)])",
        "[104, 32]",
    ),
    Task(
        "What is the mean of 3, 5, 8 and 12, and what is their median?",
        "numbers = [3, 5, 8, 12]\nprint(sum(numbers) / 4, (numbers[1] + numbers[2]) / 2)",
        "7.0 6.5",
    ),
    Task(
        "What does a loan of 1000 crowns cost after three years at five percent?",
        "print(round(1000 * 1.05**3, 2))",
        "1157.63",
    ),
    Task(
        "Which letters does 'turbot' share with 'trout', and how many are they?",
        "shared = sorted(set('turbot') & set('trout'))\nprint(shared, len(shared))",
        "['o', 'r', 't', 'u'] 4",
    ),
    Task(
        "Is 2027 prime?",
        "print(all(2027 % d for d in range(2, 46)))",
        "True",
    ),
    Task(
        "How many hands of five cards are there?",
        "print(math.comb(52, 5))",
        "2598960",
    ),
    Task(
        "What is the sum of the digits of 2 to the power 100, and how many digits are there?",
        "n = 2**100\nprint(sum(str(n)), len(str(n)))",
        "115 31",
    ),
    Task(
        "Sort the words pear, apple, fig, plum by their length, and then by the alphabet.",
        "ordered = sorted(['pear', 'apple', 'fig', 'plum'], key=lambda w: (len(w), w))",
        "['fig', 'pear', 'plum', 'apple']",
    ),
    Task("What did the herring cost on the fish market this morning?", "", ""),
)
