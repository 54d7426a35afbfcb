"""Twelve problems of the kind of MATH's level 5, each with the first program that comes to mind.

Most drafts have a slip that programmers know; two cannot be saved by reading errors: one recurses
too deep, and one leaves out the last number without any error.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    question: str
    answer: str
    draft: str


PROBLEMS = (
    Problem(
        "What is the remainder when 3^2023 + 5^2023 is divided by 77?",
        "64",
        "print((pow(3, 2023, 77) + pow(5, 2023, 77)) % 77)",
    ),
    Problem(
        "How many positive integers below 2000 have digits that add up to a multiple of 7?",
        "279",
        "print(sum(1 for n in range(1, 2000) if sum(str(n)) % 7 == 0))",
    ),
    Problem(
        "In how many ways can twelve guests sit at a round table, if turning the table makes no "
        "difference and the 2 hosts among them may not be neighbours?",
        "32659200",
        "print(math.factorial(11) - 2 * math.factorial(10))",
    ),
    Problem(
        "What is the sum of the prime numbers that divide 999999?",
        "71",
        "from math import is_prime\n"
        "print(sum(p for p in range(2, 1000) if 999999 % p == 0 and is_prime(p)))",
    ),
    Problem(
        "Four fair dice are thrown. What is the probability that the largest number is 5?",
        "41/144",
        "print(Fraction(5**4 - 4**4, 6**4))",
    ),
    Problem(
        "How many points with integer coordinates lie inside the circle x^2 + y^2 = 200?",
        "621",
        "r = 200 ** 0.5\n"
        "grid = range(-r, r + 1)\n"
        "print(sum(1 for x in grid for y in grid if x * x + y * y < 200))",
    ),
    Problem(
        "Let f(0) = f(1) = 1 and f(n) = f(n - 1) + n f(n - 2). What are the last three digits of "
        "f(1500)?",
        "608",
        "@lru_cache(None)\n"
        "def f(n):\n"
        "    return 1 if n < 2 else f(n - 1) + n * f(n - 2)\n"
        "print(f(1500) % 1000)",
    ),
    Problem(
        "How many subsets of {1, 2, ..., 14} contain no two numbers that differ by 1?",
        "987",
        "count = 0\n"
        "for size in range(15):\n"
        "    for s in itertools.combinations(range(14), size):\n"
        "        count += all(b - a > 1 for a, b in zip(s, s[1:]))\n"
        "print(count)",
    ),
    Problem(
        "How many of the integers from 1 to 499 are divisible by none of 2, 3 and 5?",
        "134",
        "print(sum(1 for n in range(1, 499) if n % 2 and n % 3 and n % 5))",
    ),
    Problem(
        "What is the smallest n for which n! is divisible by 2^50?",
        "54",
        "n, product = 1, 1\nwhile product % 2**50:\n    n += 1\n    product *= n\nprint(str(n)",
    ),
    Problem(
        "In how many ways is 1729 the sum of two positive cubes, the order aside?",
        "2",
        "print(sum(1 for a in range(1, 13) for b in range(a, 13) if a**3 + b**3 == 1729))",
    ),
    Problem(
        "For how many of the values x = 0, 1, ..., 12 is x^13 - x divisible by 13?",
        "13",
        "print(sum(1 for x in range(13) if (x**13 - x) % 13 == 0))",
    ),
)
DRAFTS = {problem.question: problem.draft for problem in PROBLEMS}
