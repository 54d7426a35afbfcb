"""The built-in model's server: llama.cpp with OpenAI's API on loopback, in a process of its own.

Run as `python -m studio.engine.llm.local_server MODEL.gguf PARENT_PID`. The key is the first line
of standard input, for `ps` shows argv to everybody. The process prints one line of JSON when it is
ready and ends when its parent does: standard input is a pipe that closes then, on every system.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time

SLOTS = 2
CONTEXT = 2048  # per slot: the model is of little use beyond, and 4 x 8192 costs 360 MB more
CACHE_MIB = 64  # prompt cache; the library's default is 8 GB
ALIAS = "smollm2-135m-instruct"
_PR_SET_PDEATHSIG = 1


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 2


def die_with(parent: int) -> None:
    """Ends this process when `parent` is gone, whichever way the system lets us notice."""

    def watch_input() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=watch_input, daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def serve(path: str, key: str) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.model_alias = {ALIAS}
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.api_keys = [key]
    parameters.ui = False
    parameters.endpoint_slots = parameters.endpoint_props = parameters.endpoint_metrics = False
    parameters.cors_origins = ""
    parameters.cors_origins_explicit, parameters.cors_credentials = True, False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = cores()
    parameters.n_parallel = SLOTS
    parameters.n_ctx = CONTEXT * SLOTS
    parameters.kv_unified = False
    parameters.cache_ram_mib = CACHE_MIB
    parameters.n_gpu_layers = 0
    parameters.offline = True
    parameters.verbosity = -1
    parameters.n_threads_http = 8
    server = xllamacpp.Server(parameters)
    sys.stdout.write(json.dumps({"url": server.listening_address}) + "\n")
    sys.stdout.flush()
    while True:  # short sleeps, so that Python gets to run its signal handlers
        time.sleep(0.5)


def main() -> None:
    key = sys.stdin.readline().strip()
    die_with(int(sys.argv[2]))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    serve(sys.argv[1], key)


if __name__ == "__main__":
    main()
