"""Which layer of a picture each node of a graph stands in, and which edges close a loop."""

from __future__ import annotations


def closing(starts: list[bool], ends: list[tuple[int, int]]) -> set[int]:
    """The edges that lead back to a node on the way to them: they close a loop.

    `starts` says of each node whether a run begins there, `ends` are the two nodes of each edge.
    Walks in depth from the starts, then from nodes that nothing leads to, then from the rest.
    """
    after: list[list[tuple[int, int]]] = [[] for _ in starts]
    has_before = set()
    for i, (a, b) in enumerate(ends):
        if a != b:
            after[a].append((i, b))
            has_before.add(b)
    order = sorted(
        range(len(starts)), key=lambda n: (not starts[n], n in has_before, n)
    )  # fmt: skip
    found, done, on_way = set(), set(), set()
    for root in order:
        if root in done:
            continue
        on_way.add(root)
        walk = [(root, iter(after[root]))]
        while walk:
            node, rest = walk[-1]
            step = next(rest, None)
            if step is None:
                walk.pop()
                on_way.discard(node)
                done.add(node)
            elif step[1] in on_way:
                found.add(step[0])
            elif step[1] not in done:
                on_way.add(step[1])
                walk.append((step[1], iter(after[step[1]])))
    return found


def layers(number: int, down: list[tuple[int, int]]) -> list[int]:
    """The length of the longest way to each node."""
    layer, waits = [0] * number, [0] * number
    after: list[list[int]] = [[] for _ in range(number)]
    for a, b in down:
        after[a].append(b)
        waits[b] += 1
    ready = [n for n in range(number) if not waits[n]]
    for node in ready:  # grows while it is read
        for other in after[node]:
            layer[other] = max(layer[other], layer[node] + 1)
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    return layer
