"""What every store does, whatever it is made of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store.sound import check_sound
from gateway.store.support import Stores, chain, link, told
from turnwire.gateway.context import Context
from turnwire.gateway.store.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.store import Store

MEMORY = pytest.param("memory", id="memory")
SQLITE = pytest.param("sqlite", id="sqlite", marks=pytest.mark.io)
REDIS = pytest.param("redis", id="redis", marks=(pytest.mark.io, pytest.mark.servers))

every = pytest.mark.parametrize("stores", [MEMORY, SQLITE, REDIS], indirect=True)
shared = pytest.mark.parametrize("stores", [SQLITE, REDIS], indirect=True)


async def found(store: Store, *names: str) -> list[str]:
    """Return those of the names that can be found, without changing which was used last."""
    return [name for name in names if await store.get(name, "me") is not None]


@every
async def test_what_was_put_is_found_whole(stores: Stores) -> None:
    store = await stores.open()
    root, leaf = chain("root", "leaf")
    await store.put(root)
    await store.put(leaf)
    assert told(await store.get("leaf", "me")) == told(leaf)
    assert told(await store.get("root", "me")) == told(root)
    assert await store.get("other", "me") is None


@every
async def test_a_dead_end_comes_back_as_one(stores: Stores) -> None:
    store = await stores.open()
    await store.put(link("failed", dead_end=True))
    kept = await store.get("failed", "me")
    assert kept is not None
    assert kept.dead_end


@shared
async def test_another_process_finds_it(stores: Stores) -> None:
    here, there = await stores.open(), await stores.open()
    root, left, right = link("root"), link("left"), link("right")
    left, right = link("left", root), link("right", root)
    for each in (root, left, right):
        await here.put(each)
    for each in (left, right, root):
        assert told(await there.get(each.response_id, "me")) == told(each)


@shared
async def test_a_chain_goes_back_and_forth(stores: Stores) -> None:
    here, there = await stores.open(), await stores.open()
    newest = link("0")
    await here.put(newest)
    for number in range(1, 12):
        store = (here, there)[number % 2]
        parent = await store.get(str(number - 1), "me")
        assert told(parent) == told(newest)
        newest = link(str(number), parent)
        await store.put(newest)
    assert told(await (await stores.open()).get("11", "me")) == told(newest)


@every
async def test_a_chain_whose_first_links_were_never_put_is_kept_whole(stores: Stores) -> None:
    store = await stores.open()
    *_, leaf = chain("a", "b", "c")
    await store.put(leaf)
    assert told(await store.get("c", "me")) == told(leaf)
    assert await found(store, "a", "b") == []


@every
async def test_only_its_owner_finds_or_deletes_it(stores: Stores) -> None:
    store = await stores.open()
    mine = link("a", owner="me")
    await store.put(mine)
    for name in ("you", "", "m", "me "):
        assert await store.get("a", name) is None
        await store.delete("a", name)
    assert told(await store.get("a", "me")) == told(mine)


@every
async def test_what_was_deleted_is_not_found_and_its_chain_lives(stores: Stores) -> None:
    store = await stores.open()
    root, middle, leaf = chain("root", "middle", "leaf")
    for each in (root, middle, leaf):
        await store.put(each)
    await store.delete("middle", "me")
    await store.delete("never", "me")
    assert await found(store, "root", "middle", "leaf") == ["root", "leaf"]
    assert told(await store.get("leaf", "me")) == told(leaf)
    await store.put(middle)
    assert told(await store.get("middle", "me")) == told(middle)


@shared
async def test_what_was_deleted_there_is_not_found_here(stores: Stores) -> None:
    here, there = await stores.open(), await stores.open()
    await here.put(link("a"))
    await there.delete("a", "me")
    assert await here.get("a", "me") is None


@every
async def test_the_least_recently_used_goes_first(stores: Stores) -> None:
    store = await stores.open(limit_count=2)
    await store.put(link("a"))
    await store.put(link("b"))
    await store.get("a", "me")
    await store.get("b", "you")  # counts for nothing
    await store.put(link("c"))
    assert await found(store, "a", "b", "c") == ["a", "c"]


@every
async def test_a_shared_past_counts_once_and_stays_while_it_is_needed(stores: Stores) -> None:
    store = await stores.open(limit_bytes=40)
    root = link("root")
    forks = [link(name, root) for name in ("a", "b", "c")]
    for each in (root, *forks):
        await store.put(each)
    assert await found(store, "root", "a", "b", "c") == ["root", "a", "b", "c"]
    await store.put(link("d", forks[0]))  # 50 bytes: the root goes by name alone, then more must
    assert await found(store, "root", "a", "b", "c", "d") == ["c", "d"]
    assert told(await store.get("c", "me")) == told(forks[2])


@every
async def test_what_is_larger_than_the_store_is_not_kept(stores: Stores) -> None:
    store = await stores.open(limit_bytes=25)
    await store.put(link("small"))
    *_, leaf = chain("a", "b", "c")
    await store.put(leaf)
    assert await found(store, "small", "c") == []
    await store.put(link("next"))
    assert await found(store, "next") == ["next"]


@every
async def test_a_store_for_nothing_keeps_nothing(stores: Stores) -> None:
    store = await stores.open(limit_count=0)
    await store.put(link("a"))
    assert await store.get("a", "me") is None


@every
async def test_what_is_too_old_is_not_found(stores: Stores) -> None:
    store = await stores.open(ttl=60)
    old, young = chain("old", "young")
    await store.put(old)
    stores.clock.now += 59
    await store.put(young)
    assert await found(store, "old", "young") == ["old", "young"]
    stores.clock.now += 1
    assert await found(store, "old", "young") == ["young"]
    assert told(await store.get("young", "me")) == told(young)


@every
async def test_what_is_too_old_makes_room(stores: Stores) -> None:
    store = await stores.open(limit_bytes=30, ttl=60)
    await store.put(link("a"))
    await store.put(link("b"))
    stores.clock.now += 30
    await store.put(link("c"))
    await store.get("a", "me")
    stores.clock.now += 30
    await store.put(link("d"))
    await store.put(link("e"))
    assert await found(store, "a", "b", "c", "d", "e") == ["c", "d", "e"]


@every
async def test_to_be_used_makes_nothing_younger_and_to_be_put_does(stores: Stores) -> None:
    store = await stores.open(ttl=60)
    used, again = link("used"), link("again")
    await store.put(used)
    await store.put(again)
    stores.clock.now += 59
    await store.get("used", "me")
    await store.put(again)
    stores.clock.now += 1
    assert await found(store, "used", "again") == ["again"]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every link that is looked at on the way back through a chain."""
    seen: list[str] = []
    lineage = Context.lineage

    def counted(self: Context) -> Iterator[Context]:
        for each in lineage(self):
            seen.append(each.response_id)
            yield each

    monkeypatch.setattr(Context, "lineage", counted)
    return seen


@every
@pytest.mark.slow
async def test_a_turn_costs_what_it_adds_however_long_the_chain(
    stores: Stores, steps: list[str]
) -> None:
    store = await stores.open()
    newest: Context | None = None
    for number in range(2000):
        if newest is not None:
            newest = await store.get(newest.response_id, "me")
        newest = link(str(number), newest)
        steps.clear()
        await store.put(newest)
        assert len(steps) <= 6, number
    assert newest is not None
    kept = await store.get("1999", "me")
    assert kept is not None
    assert [each.response_id for each in kept.lineage()] == [str(i) for i in range(1999, -1, -1)]


@shared
@pytest.mark.slow
async def test_a_long_chain_is_read_by_another_process_and_let_go_link_by_link(
    stores: Stores,
) -> None:
    links = chain(*map(str, range(2000)))
    here, there = await stores.open(), await stores.open()
    await here.put(links[-1])
    assert told(await there.get("1999", "me")) == told(links[-1])
    await here.delete("1999", "me")
    assert await there.get("1999", "me") is None
    tiny = await stores.open(limit_bytes=10)
    await tiny.put(link("only"))
    assert told(await tiny.get("only", "me")) == told(link("only")), "nothing else takes room"


@every
async def test_many_at_once(stores: Stores) -> None:
    store = await stores.open()
    root = link("root")
    await store.put(root)

    async def grow(name: str) -> list[str]:
        newest = await store.get("root", "me")
        for number in range(5):
            newest = link(f"{name}{number}", newest)
            await store.put(newest)
            assert told(await store.get(newest.response_id, "me")) == told(newest)
        assert newest is not None
        return [each.response_id for each in newest.lineage()]

    names = "abcdefghijklmnopqrstuvwxyz"
    grown = await asyncio.gather(*map(grow, names))
    assert grown == [[f"{name}{number}" for number in (4, 3, 2, 1, 0)] + ["root"] for name in names]


@every
async def test_whoever_stops_waiting_breaks_nothing_for_others(stores: Stores) -> None:
    store = await stores.open()
    owners = [f"owner{number}" for number in range(8)]
    for owner in owners:
        await store.put(link(owner, owner=owner))

    async def ask(owner: str) -> Any:
        return told(await store.get(owner, owner))

    for turns_of_the_loop in range(12):
        left = [asyncio.create_task(ask(owner)) for owner in owners]
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        for task in left:
            task.cancel()
        answers = await asyncio.gather(*map(ask, owners))
        assert answers == [told(link(owner, owner=owner)) for owner in owners]
        await asyncio.gather(*left, return_exceptions=True)


STEPS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(1, 40), st.sampled_from("ppgd")),
    max_size=30,
)


@every
@pytest.mark.slow
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(given_steps=STEPS)
def test_it_keeps_what_a_shelf_would_keep(
    stores: Stores, given_steps: list[tuple[int, int, int, str]]
) -> None:
    asyncio.run(_compare(stores, given_steps))


async def _compare(stores: Stores, given_steps: list[tuple[int, int, int, str]]) -> None:
    example = Stores(stores.kind, stores.folder, stores.redis_url, stores.prefix)
    store, shelf = await example.open(150, 5), Shelf(150, 5)
    for name in [str(number) for number in range(12)]:
        await store.delete(name, "me")
    made: dict[str, Context] = {}
    for number, parent, size, what in given_steps:
        name = str(number)
        if what == "g":
            assert told(await store.get(name, "me")) == told(shelf.get(name))
        elif what == "d":
            await store.delete(name, "me")
            shelf.forget(name)
        else:
            made.setdefault(name, link(name, made.get(str(parent)), size))
            await store.put(made[name])
            shelf.put(made[name])
    for name in made:
        assert told(await store.get(name, "me")) == told(shelf.get(name))
    await check_sound(example, shelf.size_bytes, len(shelf))
    await example.aclose()
