"""Images: what is asked of them, those with packages, and what they may not do for themselves."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from studio.engine.execution.box import MB, Box, Ended
from studio.engine.execution.docker_box import IMAGE, DockerBox
from studio.engine.execution.docker_images import (
    has_image,
    image_bytes,
    image_python,
    prepare_image,
    remove_image,
)

from .conftest import Boxes


def test_images_and_their_python(containers: Boxes) -> None:
    assert asyncio.run(has_image(IMAGE))
    assert not asyncio.run(has_image("no-such-image:1"))
    assert asyncio.run(image_python(IMAGE)).startswith("3.")
    assert asyncio.run(image_bytes(IMAGE)) > 10 * MB


def test_an_image_with_packages(containers: Boxes, tmp_path: Path) -> None:
    (packages := tmp_path / "packages").mkdir(mode=0o700)
    (packages / "greeting.py").write_text("WORDS = 'hello from a package'")
    (packages / "greeting.py").chmod(0o600)
    (packages / "linked.py").symlink_to("greeting.py")
    tag = f"roundtable-test-{containers.nonce}:1"
    asyncio.run(prepare_image(IMAGE, packages, tag))
    try:
        assert asyncio.run(has_image(tag))
        program = """
import greeting, linked
print(greeting.WORDS)
try:
    open("/packages/greeting.py", "a")
except OSError:
    print(linked.WORDS)
"""
        ended = _in_image(containers, tag, lambda box: box.run(containers.job(program)))
        assert ended.stdout == b"hello from a package\n" * 2, ended.stderr
    finally:
        asyncio.run(remove_image(tag))
    assert not asyncio.run(has_image(tag))
    asyncio.run(remove_image(tag))  # which is no error


def _in_image(boxes: Boxes, image: str, work: Callable[[Box], Awaitable[Any]]) -> Any:
    async def used() -> Any:
        box = DockerBox(boxes.work_dir(), image=image, label=boxes.nonce)
        try:
            return await work(box)
        finally:
            await box.close()

    return asyncio.run(used())


def test_what_an_image_wants_for_itself_is_not_done(containers: Boxes, engine: Any) -> None:
    """Its start program, its user, its checks, its volumes (which nothing would limit)."""
    tag = f"roundtable-test-{containers.nonce}"
    made = engine.create_container(IMAGE, ["true"])["Id"]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        folder = tarfile.TarInfo("store")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        archive.addfile(folder)
    engine.put_archive(made, "/", file.getvalue())
    changes = [
        "VOLUME /store",
        'ENTRYPOINT ["false"]',
        "USER root",
        "HEALTHCHECK CMD touch /work/x",
    ]
    engine.commit(made, tag, changes=changes)
    engine.remove_container(made)
    program = """
import os
print(os.getuid() != 0)
try:
    open("/store/big", "wb").write(bytes(100 << 20))
except OSError as error:
    print(error.strerror)
"""

    async def looked_at(box: Box) -> tuple[Ended, list[str]]:
        ended = await box.run(containers.job(program))
        label = {"label": f"roundtable={containers.nonce}"}
        (found,) = await asyncio.to_thread(engine.containers, filters=label)
        return ended, [mount["Type"] for mount in found["Mounts"]]

    try:
        ended, mounts = _in_image(containers, tag, looked_at)
        assert ended.stdout == b"True\nNo space left on device\n", ended
        assert mounts == ["bind"]
        assert [*containers.work_dir().iterdir()] == []
    finally:
        asyncio.run(remove_image(tag))
