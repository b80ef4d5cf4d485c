from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest

from rinsho.datasets.catalog import Dataset, find_datasets, read_catalog
from rinsho.datasets.download import Patience, open_mirror
from rinsho.datasets.fetch import Fetched, fetch_dataset, place_of, refuse_terms
from rinsho.datasets.presence import check_files, state_of
from rinsho.errors import (
    CannotConvert,
    DiskFull,
    DownloadDiffers,
    DownloadFailed,
    InvalidValue,
    NoncommercialRefused,
    OutsideFolder,
    ReadOnly,
    RedirectRefused,
)
from tests.datasets.conftest import Publisher, cut, dataset_of, send, silence

IMPATIENT = Patience(connect_s=5, read_s=0.5, n_attempts=3, pause_s=0)
FILES = {"a.txt": "発熱あり。".encode(), "deep/咳.txt": b"cough"}


def fetch(dataset: Dataset, base: str, to: Path) -> Fetched:
    with open_mirror(base, IMPATIENT) as mirror:
        return fetch_dataset(dataset, mirror, to, lambda _: None)


def publish(publisher: Publisher, files: dict[str, bytes]) -> Dataset:
    for name, content in files.items():
        publisher.put(quote(f"text/{name}"), content)
    return dataset_of(files, source_folder="text")


def names_below(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_files_arrive_whole_and_a_second_call_asks_for_nothing(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, FILES)
    first = fetch(dataset, publisher.base, tmp_path / "data")
    assert (first.n_fetched, first.n_present, first.is_complete) == (2, 0, True)
    assert (tmp_path / "data" / "text" / "deep" / "咳.txt").read_bytes() == b"cough"
    n_asked = publisher.asked.total()
    again = fetch(dataset, publisher.base, tmp_path / "data")
    assert (again.n_fetched, again.n_present, again.is_complete) == (0, 2, True)
    assert publisher.asked.total() == n_asked


def test_a_changed_and_a_cut_file_on_disk_are_fetched_again(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, FILES)
    fetch(dataset, publisher.base, tmp_path)
    (tmp_path / "text" / "a.txt").write_bytes(b"x" * len(FILES["a.txt"]))
    (tmp_path / "text" / "a.txt.new").write_bytes(b"left by a crash")
    result = fetch(dataset, publisher.base, tmp_path)
    assert (result.n_fetched, result.n_present) == (1, 1)
    assert (tmp_path / "text" / "a.txt").read_bytes() == FILES["a.txt"]
    assert names_below(tmp_path) == ["text/a.txt", "text/deep/咳.txt"]


def test_other_bytes_than_the_catalog_says_are_not_kept_and_do_not_stop_the_rest(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, FILES)
    publisher.put("text/a.txt", b"y" * len(FILES["a.txt"]))
    result = fetch(dataset, publisher.base, tmp_path)
    [error] = result.failed
    assert isinstance(error, DownloadDiffers)
    assert not result.is_complete
    assert names_below(tmp_path) == ["text/deep/咳.txt"]


def test_a_file_that_is_not_there_is_asked_for_once(publisher: Publisher, tmp_path: Path) -> None:
    dataset = publish(publisher, FILES)
    del publisher.files[next(path for path in publisher.files if path.endswith("a.txt"))]
    result = fetch(dataset, publisher.base, tmp_path)
    assert "HTTP 404" in str(result.failed[0])
    assert (publisher.n_asked("text/a.txt"), result.n_fetched) == (1, 1)


def test_what_could_not_be_fetched_leaves_no_empty_folder(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, FILES)
    publisher.files.clear()
    assert fetch(dataset, publisher.base, tmp_path / "data").n_fetched == 0
    assert list((tmp_path / "data").iterdir()) == []


def test_a_cut_connection_is_tried_again(publisher: Publisher, tmp_path: Path) -> None:
    dataset = publish(publisher, {"a.txt": FILES["a.txt"]})
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = [
        cut,
        lambda handler: handler.send_error(503),
        lambda handler: send(handler, FILES["a.txt"]),
    ]
    publisher.put("text/a.txt", lambda handler: answers.pop(0)(handler))
    assert fetch(dataset, publisher.base, tmp_path).is_complete
    assert publisher.n_asked("text/a.txt") == 3


def test_a_host_that_cuts_every_time_ends_the_run_and_keeps_what_was_finished(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, {"a": b"1", "b": b"2 or more", "c": b"3"})
    publisher.put("text/b", cut)
    result = fetch(dataset, publisher.base, tmp_path)
    assert "cut" in str(result.failed[0])
    assert (result.n_fetched, result.n_left) == (1, 1)
    assert publisher.n_asked("text/b") == IMPATIENT.n_attempts
    assert names_below(tmp_path) == ["text/a"]
    publisher.put("text/b", b"2 or more")
    assert fetch(dataset, publisher.base, tmp_path).is_complete
    assert publisher.n_asked("text/a") == 1


def test_a_host_that_falls_silent_is_given_up(publisher: Publisher, tmp_path: Path) -> None:
    dataset, released = publish(publisher, {"a": b"1"}), threading.Event()
    publisher.put("text/a", silence(released))
    try:
        result = fetch(dataset, publisher.base, tmp_path)
    finally:
        released.set()
    assert "no answer in time" in str(result.failed[0])


def test_a_host_that_drips_is_given_up(publisher: Publisher, tmp_path: Path) -> None:
    dataset = dataset_of({"a": bytes(100_000)}, source_folder="text")

    def drip(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"", n_promised=100_000)
        released = threading.Event()
        for _ in range(40):
            handler.wfile.write(b"\0")
            handler.wfile.flush()
            released.wait(0.05)

    publisher.put("text/a", drip)
    slow = Patience(read_s=0.4, n_attempts=1, slowest_bytes_per_s=4_096)
    with open_mirror(publisher.base, slow) as mirror:
        result = fetch_dataset(dataset, mirror, tmp_path, lambda _: None)
    assert "too slow" in str(result.failed[0])


def test_more_bytes_than_the_catalog_says_are_not_read_to_the_end(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = dataset_of({"a": b"12345"}, source_folder="text")
    publisher.put("text/a", bytes(5_000_000))
    result = fetch(dataset, publisher.base, tmp_path)
    assert "more than 5 bytes" in str(result.failed[0])
    assert publisher.n_asked("text/a") == 1


def test_a_compressed_answer_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    dataset = dataset_of({"a": b"1"}, source_folder="text")

    def compressed(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        handler.wfile.write(gzip.compress(b"1"))

    publisher.put("text/a", compressed)
    assert "compressed" in str(fetch(dataset, publisher.base, tmp_path).failed[0])


def redirect(location: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def test_a_redirect_is_followed_on_the_same_host_alone(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, {"a": b"1"})
    publisher.files["/elsewhere"] = b"1"
    publisher.put("text/a", redirect("/elsewhere"))
    assert fetch(dataset, publisher.base, tmp_path / "same").is_complete
    for location in ("http://example.invalid/a", "https://127.0.0.1/a", "//localhost/a"):
        publisher.put("text/a", redirect(location))
        with pytest.raises(RedirectRefused):
            fetch(dataset, publisher.base, tmp_path / "other")
    publisher.put("text/a", redirect("/round"))
    publisher.files["/round"] = redirect("/round")
    result = fetch(dataset, publisher.base, tmp_path / "round")
    assert "redirects" in str(result.failed[0])


def test_no_connection_is_an_error_with_a_next_step(tmp_path: Path, publisher: Publisher) -> None:
    dataset = publish(publisher, {"a": b"1"})
    result = fetch(dataset, "http://127.0.0.1:9", tmp_path)  # the discard port: nobody listens
    [error] = result.failed
    assert isinstance(error, DownloadFailed)
    assert "接続がない" in error.text("ja")
    assert "--mirror" in error.text("ja") and "--mirror" in error.text("en")


@pytest.mark.parametrize("base", ["ftp://host/x", "host", "file:///etc", "http://me:pw@host/"])
def test_only_http_addresses_without_a_password_are_mirrors(base: str) -> None:
    with pytest.raises(InvalidValue) as refused, open_mirror(base):
        pass
    assert "pw" not in str(refused.value)


def test_a_link_that_leads_out_of_the_folder_is_refused(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, {"deep/a": b"1"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text").symlink_to(tmp_path / "outside")
    with pytest.raises(OutsideFolder):
        fetch(dataset, publisher.base, tmp_path / "data")
    assert not names_below(tmp_path / "outside")
    with pytest.raises(OutsideFolder):
        place_of(tmp_path / "data", "../outside/a")


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_asked_for(
    publisher: Publisher, tmp_path: Path
) -> None:
    dataset = publish(publisher, FILES)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReadOnly):
        fetch(dataset, publisher.base, tmp_path / "file" / "data")
    assert not publisher.asked


def test_a_disk_without_room_is_said_before_anything_is_asked_for(
    publisher: Publisher, tmp_path: Path
) -> None:
    files = [["a", 1, 10**18, hashlib.sha256(b"").hexdigest()]]
    with pytest.raises(DiskFull):
        fetch(dataset_of({}, files=files), publisher.base, tmp_path)
    assert not publisher.asked


def test_noncommercial_data_need_the_switch() -> None:
    dataset = dataset_of({}, license="CC-BY-NC-SA-4.0")
    with pytest.raises(NoncommercialRefused):
        refuse_terms([dataset], noncommercial=False)
    refuse_terms([dataset], noncommercial=True)


def test_what_a_person_has_to_make_is_said_and_nothing_is_asked_for(
    publisher: Publisher, tmp_path: Path
) -> None:
    [dataset] = find_datasets(["mhlw-nanbyo"])
    result = fetch(dataset, publisher.base, tmp_path)
    [error] = result.failed
    assert isinstance(error, CannotConvert)
    assert "docx" in str(error) and dataset.commit[:12] in str(error)
    assert not publisher.asked


def test_other_gzip_bytes_of_the_same_content_count_as_right(
    publisher: Publisher, tmp_path: Path
) -> None:
    content, sha256 = b"text" * 100, hashlib.sha256(b"text" * 100).hexdigest()
    other = gzip.compress(content, compresslevel=1, mtime=0)
    row = ["a.gz", 1, len(other), hashlib.sha256(other).hexdigest(), ["a"], sha256]
    dataset = dataset_of({}, conversion="gzip", processing="gzip only", files=[row])
    publisher.put("a", content)
    result = fetch(dataset, publisher.base, tmp_path)
    assert (result.n_repacked, result.is_complete) == (1, True)
    assert state_of(dataset.files[0], tmp_path) == "repacked"
    publisher.put("a", content + b"!")
    (tmp_path / "text" / "a.gz").unlink()
    assert isinstance(fetch(dataset, publisher.base, tmp_path).failed[0], DownloadDiffers)


@pytest.mark.data
def test_every_verbatim_file_comes_through_the_wire_unchanged(
    publisher: Publisher, tmp_path: Path, data_folder: Path
) -> None:
    verbatim = [d for d in read_catalog() if d.conversion == "verbatim"]
    for dataset in verbatim:
        for file in dataset.files:
            path = f"/{dataset.repository}/{dataset.commit}/{quote(file.sources[0])}"
            publisher.files[path] = (data_folder / file.path).read_bytes()
        assert fetch(dataset, publisher.base, tmp_path).is_complete, dataset.name
    checked = list(check_files(verbatim, tmp_path, lambda _: None))
    assert len(checked) == 670
    assert {one.state for one in checked} == {"right"}
