#!/usr/bin/env python3
"""llama.cpp's own server from the wheel of `xllamacpp`, where no `llama-server` is installed.

    PEERS/bin/pip install xllamacpp
    printf '#!/bin/sh\\nexec PEERS/bin/python benchmarks/llama_server.py "$@"\\n' > llama-server
    chmod +x llama-server; export RINSHO_LLAMA_SERVER=$PWD/llama-server

Takes the options that rinsho gives to `llama-server`.
"""

from __future__ import annotations

import argparse
import signal

import xllamacpp  # pyright: ignore[reportMissingImports]


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--ctx-size", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jinja", action="store_true")
    args = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.hostnames, params.port = [args.host], args.port
    params.n_ctx, params.n_parallel = args.ctx_size, args.parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
    params.use_jinja = args.jinja
    server = xllamacpp.Server(params)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


if __name__ == "__main__":
    main()
