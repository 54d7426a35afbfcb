"""The skills that come with the studio, called as they are shipped: in a box, with its way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.config import load_settings
from studio.definitions.bundle import load_bundle
from studio.definitions.common import Hosts
from studio.definitions.gallery import bundles
from studio.definitions.skills import SKILL, PythonSkillDefinition
from studio.engine.execution.box import BoxLimits
from studio.engine.execution.calls import Called, call_job, read_call
from studio.engine.execution.docker_box import DockerBox
from studio.engine.execution.sandbox import SandboxBox
from studio.runner.proxy import NetworkRequest, Proxy

from .upstream import Answering, Asked, Reply, upstream

RECORDED = Path(__file__).with_name("answers")
HOSTS = ("export.arxiv.org", "en.wikipedia.org", "pt.wikipedia.org", "api.search.brave.com",
         "api.tavily.com", "search.example", "bees.example")  # fmt: skip


def _skills() -> Iterator[PythonSkillDefinition]:
    for slug, text in bundles().items():
        for body in load_bundle(text).bodies["skills"]:
            skill = SKILL.validate_python(body)
            if slug.startswith("skill-") and isinstance(skill, PythonSkillDefinition):
                yield skill


SKILLS = {skill.name: skill for skill in _skills()}


class Bench:
    """A folder in which skills are called, in one kind of box."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.work = folder / "work"
        self.work.mkdir(mode=0o777)
        self.told: list[NetworkRequest] = []

    def call(self, name: str, function: str, /, **arguments: Any) -> Called:
        return asyncio.run(self._called(SKILLS[name], function, arguments, {}, None))

    def online(
        self, answering: Answering, name: str, function: str, /, *,
        secrets: dict[str, str] | None = None, hosts: tuple[str, ...] = (), **arguments: Any,
    ) -> tuple[Called, list[Asked]]:  # fmt: skip
        """With the web at the other end of the box's proxy; what the web was asked comes too.

        `hosts` are those that an owner has added to the skill's own.
        """
        with upstream(self.folder, answering, *HOSTS) as web:
            (self.work / "ca.pem").write_bytes(web.ca.read_bytes())
            network = SKILLS[name].network
            named = tuple(network.hosts) if isinstance(network, Hosts) else ()
            settings = load_settings(home=self.folder, open_network=True)
            proxy = Proxy(
                settings, "open" if network == "open" else (*named, *hosts), self.told.append,
                resolve=web.resolve, connect=web.connect,
            )  # fmt: skip
            done = self._called(SKILLS[name], function, arguments, secrets or {}, proxy)
            return asyncio.run(done), web.asked

    async def _called(
        self, skill: PythonSkillDefinition, function: str, arguments: dict[str, Any],
        secrets: dict[str, str], proxy: Proxy | None,
    ) -> Called:  # fmt: skip
        given = {**secrets, "SSL_CERT_FILE": "/work/ca.pem"}
        job = call_job(
            skill.source, function, arguments, name=skill.name, secrets=given,
            network=proxy is not None, limits=BoxLimits(seconds=30),
        )  # fmt: skip
        box = (
            DockerBox(self.work, label="builtin-skills")
            if self.kind == "docker"
            else SandboxBox(self.work)
        )
        try:
            if proxy is None:
                return read_call(await box.run(job), job)
            async with proxy.serving(self.work):
                return read_call(await box.run(job), job)
        finally:
            await box.close()


def recorded(name: str, kind: str = "application/json", status: int = 200) -> Answering:
    return lambda asked: Reply(RECORDED.joinpath(name).read_bytes(), kind, status)
