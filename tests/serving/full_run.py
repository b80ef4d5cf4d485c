"""A whole session of the server, in a process of its own that may have no network at all.

    python full_run.py WEIGHTS FOLDER

Sends a marked text through every operation, and writes into FOLDER what the server wrote, said and
connected to. `test_security.py` looks for the marker.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any

MARKER = "目印患者マーカー七七七"
KEY = "k" * 43
CONNECTED: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        CONNECTED.append(
            f"{event} {arguments[1] if event != 'socket.getaddrinfo' else arguments[0]}"
        )


def raise_loopback() -> bool:
    """Bring up `lo` of a new network namespace; return whether another network can be reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = bytearray(struct.pack("16sh14s", b"lo", 0, b""))
        fcntl.ioctl(control, 0x8913, request)  # SIOCGIFFLAGS
        (flags,) = struct.unpack_from("h", request, 16)
        if not flags & 1:
            fcntl.ioctl(control, 0x8914, struct.pack("16sh14s", b"lo", flags | 1, b""))
        try:
            control.connect(("192.0.2.1", 9))
        except OSError:
            return False
        return True


def main(weights: Path, folder: Path) -> None:
    has_route = raise_loopback()
    import httpx

    from rinsho.clinical.code_output import open_index
    from rinsho.clinical.extract import load_extractor
    from rinsho.generation.decoder_model import load_language_model
    from rinsho.serving.access import SignIn
    from rinsho.serving.app import Protection, create_app
    from rinsho.serving.audit import AuditLog
    from rinsho.serving.keys import Key, Keys, hash_key
    from rinsho.serving.serve import address_of, forbid_core_dumps, new_server, open_listener

    sys.addaudithook(watch)
    forbid_core_dumps()
    model = load_language_model(weights)
    keys = Keys([Key(name="it", role="admin", sha256=hash_key(KEY))])
    log = AuditLog(folder / "audit.jsonl", b"k" * 32)
    protection = Protection(sign_in=SignIn(keys=keys), audit=log)
    app = create_app(model, load_extractor(None), index=open_index(None), protection=protection)
    listener = open_listener("127.0.0.1", 0)
    server = new_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        url = address_of(listener).rstrip("/")
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, timeout=300, trust_env=False) as client:
            said = use(client, model.name)
    finally:
        server.should_exit = True
        thread.join()
        log.close()
    limits = Path("/proc/self/limits").read_text()
    (core,) = (line for line in limits.splitlines() if "core file" in line)
    report = {"connected": CONNECTED, "core": core.split(), "has_route": has_route, **said}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")


def use(client: Any, name: str) -> dict[str, Any]:
    """Send the marker everywhere; return the statuses, and what must not hold it."""
    chat = {"model": name, "messages": [{"role": "user", "content": MARKER}], "max_tokens": 2}
    prompt = {"model": name, "prompt": MARKER, "max_tokens": 2}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/extract", {"text": MARKER, "id": MARKER}),
        ("/v1/deidentify", {"text": MARKER}),
        ("/v1/codes", {"text": MARKER}),
        ("/v1/ask", {"text": MARKER, "question": MARKER}),
        ("/v1/draft", {"notes": [MARKER]}),
        ("/v1/chat/completions", chat),
        ("/v1/chat/completions", {**chat, "stream": True, "user": MARKER}),
        ("/v1/completions", prompt),
        ("/v1/embeddings", {"model": name, "input": MARKER}),
    ]
    good = [client.post(path, json=body) for path, body in bodies]
    lines = [
        {"operation": "extract", "id": MARKER, "body": {"text": MARKER}},
        {"operation": "extract", "body": {"text": [MARKER]}},
        {"operation": MARKER, "body": {}},
    ]
    text = "\n".join(json.dumps(line) for line in lines).encode()
    batch = client.post("/v1/batch", content=text, headers={"Content-Type": "application/jsonl"})
    while client.get(f"/v1/batch/{batch.json()['id']}").json()["status"] in ("waiting", "running"):
        pass
    broken: list[tuple[str, Any]] = [
        ("/v1/extract", {MARKER: 1}),
        ("/v1/extract", {"text": [MARKER]}),
        ("/v1/chat/completions", {**chat, "model": MARKER}),
        ("/v1/chat/completions", {**chat, "messages": [{"role": MARKER, "content": MARKER}]}),
        ("/v1/chat/completions", {**chat, "response_format": {"type": MARKER}}),
        ("/v1/completions", {**prompt, "prompt": MARKER * 1_000}),
        ("/v1/completions", {**prompt, "structured_outputs": {"regex": f"({MARKER}"}}),
        ("/v1/codes", {"text": MARKER, "term": MARKER}),
        (f"/{MARKER}", {}),
        (f"/v1/batch/{MARKER}", {}),
        ("/v1/extract?note=" + MARKER, {"text": 1}),
    ]
    errors = [client.post(path, json=body) for path, body in broken]
    errors.append(client.get(f"/v1/models/{MARKER}"))
    errors.append(client.get("/v1/models", headers={"Authorization": "Bearer x", "X-Note": "x"}))
    return {
        "good": [reply.status_code for reply in (*good, batch)],
        "bad": [reply.status_code for reply in errors],
        "errors": [reply.text for reply in errors],
        "metrics": client.get("/metrics").text,
        "audit": client.get("/v1/audit").text,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
