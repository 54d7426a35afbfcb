"""cache.py: answers kept by what was asked, for threads and processes at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from studio.engine.errors import DefinitionError
from studio.engine.llm.cache import Cache, DiskCache, MemoryCache, cache_key

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "é"}], "seed": 1}


class Answer(BaseModel):
    text: str


class Other(BaseModel):
    words: list[str]


class TestKey:
    def test_order_does_not_matter_but_everything_sent_does(self) -> None:
        assert cache_key(ASKED) == cache_key(dict(reversed(ASKED.items())))
        assert len(cache_key(ASKED)) == 64
        changes: list[dict[str, Any]] = [{"model": "n"}, {"seed": 2}, {"tools": []}, {"top_p": 0}]
        for change in changes:
            assert cache_key({**ASKED, **change}) != cache_key(ASKED)

    @pytest.mark.parametrize(
        "name",
        [
            "api_key", "base_url", "api_type", "api_version", "azure_ad_token",
            "azure_ad_token_provider", "credentials", "tool_config",
        ],
    )  # fmt: skip
    def test_where_and_with_which_key_it_is_asked_does_not_matter(self, name: str) -> None:
        assert cache_key({**ASKED, name: object()}) == cache_key(ASKED)

    def test_response_formats_are_told_apart_and_are_the_same_tomorrow(self) -> None:
        keys = {cache_key({**ASKED, "response_format": form}) for form in (Answer, Other)}
        assert len(keys) == 2
        assert cache_key({**ASKED, "response_format": Answer.model_json_schema()}) in keys

    def test_what_is_not_json_is_refused(self) -> None:
        with pytest.raises(TypeError, match="cannot hold object"):
            cache_key({"model": object()})

    def test_half_a_surrogate_pair_has_a_key(self) -> None:
        assert cache_key({"content": "\ud83d"}) != cache_key({"content": "?"})


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with MemoryCache() if request.param == "memory" else DiskCache(tmp_path, 42) as opened:
        yield opened


class TestEither:
    def test_what_was_set_is_got_and_belongs_to_the_caller(self, cache: Cache) -> None:
        value = {"text": "é\n\ud83d", "usage": {"tokens": 3}}
        assert cache.get("k") is None
        cache.set("k", value)
        value["usage"] = {}
        got = cache.get("k")
        assert got == {"text": "é\n\ud83d", "usage": {"tokens": 3}}
        got.clear()
        assert cache.get("k")
        cache.set("k", {"text": "new"})
        assert cache.get("k") == {"text": "new"}

    def test_what_is_not_json_is_refused(self, cache: Cache) -> None:
        with pytest.raises(TypeError):
            cache.set("k", {"x": object()})

    def test_it_may_be_used_after_it_was_closed(self, cache: Cache) -> None:
        cache.set("k", {"a": 1})
        cache.close()
        cache.close()
        assert cache.get("k") == {"a": 1}


class TestDisk:
    def test_the_face_of_autogen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with Cache.disk() as cache:
            cache.set("k", {"a": 1})
        assert (tmp_path / ".cache" / "42" / "cache.db").is_file()
        assert not (tmp_path / ".cache" / "42" / "cache.db-wal").exists(), "closed for good"
        with Cache.disk(cache_seed=43, cache_path_root=".cache") as other:
            assert other.get("k") is None
        with Cache.disk(cache_seed="42") as again:
            assert again.get("k") == {"a": 1}
        with Cache.in_memory() as memory:
            assert memory.get("k") is None

    def test_nothing_is_made_before_it_is_used(self, tmp_path: Path) -> None:
        DiskCache(tmp_path / "new", 1).close()
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize("seed", ["", "..", "a/b", "a\\b", "/etc"])
    def test_a_seed_cannot_leave_the_folder(self, tmp_path: Path, seed: str) -> None:
        with pytest.raises(ValueError, match="a cache seed names a folder"):
            DiskCache(tmp_path, seed)

    def test_threads_share_one_cache(self, tmp_path: Path) -> None:
        with DiskCache(tmp_path, 1) as cache, ThreadPoolExecutor(16) as pool:

            def work(n: int) -> bool:
                cache.set(f"k{n % 20}", {"n": n % 20, "text": "x" * 2000})
                got = cache.get(f"k{n % 20}")
                return got is not None and got["n"] == n % 20

            assert all(pool.map(work, range(400)))

    def test_many_objects_open_one_file_at_once(self, tmp_path: Path) -> None:
        caches = [DiskCache(tmp_path, 1) for _ in range(8)]

        def work(n: int) -> None:
            for i in range(20):
                caches[n].set(f"{n}-{i}", {"i": i})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert all(caches[0].get(f"{n}-{i}") == {"i": i} for n in range(8) for i in range(20))
        for cache in caches:
            cache.close()

    def test_processes_share_one_folder(self, tmp_path: Path) -> None:
        code = (
            "import sys; from studio.engine.llm.cache import Cache\n"
            "with Cache.disk(7, sys.argv[1]) as cache:\n"
            "    for i in range(100):\n"
            "        cache.set(f'{sys.argv[2]}-{i}', {'i': i}); cache.set('both', {'i': i})\n"
        )
        running = [
            subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(tmp_path), name])
            for name in "ab"
        ]
        assert [process.wait(60) for process in running] == [0, 0]
        with DiskCache(tmp_path, 7) as cache:
            assert cache.get("both") == {"i": 99}
            assert all(cache.get(f"{name}-{i}") == {"i": i} for name in "ab" for i in range(100))

    def test_a_damaged_answer_is_as_if_it_was_not_there(self, tmp_path: Path) -> None:
        with DiskCache(tmp_path, 1) as cache:
            cache.set("k", {"a": 1})
            other = sqlite3.connect(cache.path)
            for text in ("{", "[1]"):
                other.execute("UPDATE replies SET value = ?", (text,))
                other.commit()
                assert cache.get("k") is None
            other.close()
            cache.set("k", {"a": 2})
            assert cache.get("k") == {"a": 2}

    def test_a_file_that_is_no_database_says_which(self, tmp_path: Path) -> None:
        path = tmp_path / "1" / "cache.db"
        path.parent.mkdir()
        path.write_text("no database at all, " * 100)
        with DiskCache(tmp_path, 1) as cache:
            with pytest.raises(DefinitionError, match=r"1/cache\.db cannot be used"):
                cache.get("k")
            with pytest.warns(UserWarning, match="cannot be used"):
                cache.set("k", {"a": 1})

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(DefinitionError, match="choose another"):
            DiskCache(tmp_path / "file", 1).get("k")

    def test_a_lock_that_is_never_released_is_no_endless_wait(self, tmp_path: Path) -> None:
        with DiskCache(tmp_path, 1, busy_seconds=0.05) as cache:
            cache.set("k", {"a": 1})
            other = sqlite3.connect(cache.path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            assert cache.get("k") == {"a": 1}, "a writer does not stop readers"
            with pytest.warns(UserWarning, match="locked"):
                cache.set("k", {"a": 2})
            other.close()
            cache.set("k", {"a": 3})
            assert cache.get("k") == {"a": 3}
