"""Chains on a shelf: shared, bounded, counted once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from turnwire.gateway.context import Context
from turnwire.gateway.store.shelf import Shelf


def link(name: str, parent: Context | None = None, size: int = 10) -> Context:
    above = parent.content_bytes if parent else 0
    return Context(
        response_id=name,
        parent=parent,
        input=(b"x" * size,),
        output=(),
        pending=(),
        response=b"",
        item_count=1 + (parent.item_count if parent else 0),
        content_bytes=above + size,
    )


def test_a_chain_is_found_by_its_id() -> None:
    shelf = Shelf(1000, 10)
    first = link("a")
    shelf.put(first)
    assert (first, None) == (shelf.get("a"), shelf.get("b"))


def test_a_shared_past_counts_once() -> None:
    shelf = Shelf(1000, 10)
    root = link("root")
    for name in ("left", "right"):
        shelf.put(link(name, root))
    assert shelf.size_bytes == 30


def test_the_least_recently_used_goes_first() -> None:
    shelf = Shelf(1000, 2)
    shelf.put(link("a"))
    shelf.put(link("b"))
    shelf.get("a")
    shelf.put(link("c"))
    assert [shelf.get(name) is not None for name in "abc"] == [True, False, True]


def test_bytes_are_freed_with_the_last_link_that_needs_them() -> None:
    shelf = Shelf(1000, 10)
    root = link("root")
    shelf.put(root)
    shelf.put(link("leaf", root))
    shelf.forget("root")
    assert (shelf.size_bytes, len(shelf)) == (20, 1)
    shelf.forget("leaf")
    assert (shelf.size_bytes, len(shelf)) == (0, 0)


def test_more_than_the_limit_is_not_kept() -> None:
    shelf = Shelf(25, 10)
    chain = link("a")
    for name in "bcd":
        chain = link(name, chain)
    shelf.put(chain)
    assert (shelf.size_bytes, len(shelf)) == (0, 0)


def test_the_same_response_may_be_put_twice() -> None:
    shelf = Shelf(1000, 10)
    context = link("a")
    shelf.put(context)
    shelf.put(context)
    assert (shelf.size_bytes, len(shelf)) == (10, 1)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(1, 40), st.booleans()),
        max_size=40,
    )
)
def test_the_size_is_that_of_every_link_that_can_be_reached(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    shelf = Shelf(150, 5)
    made: dict[str, Context] = {}
    for name, parent, size, forget in steps:
        if forget:
            shelf.forget(str(name))
        else:
            made[str(name)] = link(str(name), made.get(str(parent)), size)
            shelf.put(made[str(name)])
        found = [context for key in made if (context := shelf.get(key))]
        reachable = {one for context in found for one in context.lineage()}
        assert sum(one.size_bytes for one in reachable) == shelf.size_bytes <= 150
        assert len(found) == len(shelf) <= 5
