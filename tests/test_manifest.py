from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rinsho.errors import (
    Corrupt,
    DiskFull,
    FolderLocked,
    NotFinished,
    OutputOccupied,
    PathMissing,
    WrongKind,
)
from rinsho.manifest import Manifest, door, new_folder, open_folder
from rinsho.runfile import StageConfig


class CountConfig(StageConfig):
    n: int = 3
    seed: int = 0


@door
def count(config: CountConfig, *, out: Path, private: bool = False) -> Manifest:
    with new_folder(out, stage="collect", config=config, inputs={}, is_private=private) as folder:
        (folder.path / "numbers.txt").write_text("\n".join(map(str, range(config.n))))
        (folder.path / "timing.jsonl").write_text(str(__import__("time").perf_counter_ns()))
        folder.keep_out_of_identity("timing.jsonl")
        folder.count(numbers=config.n)
    assert folder.manifest is not None
    return folder.manifest


def test_two_runs_of_the_same_thing_have_the_same_identity(tmp_path: Path) -> None:
    first, second = (
        count(CountConfig(), out=tmp_path / "a"),
        count(CountConfig(), out=tmp_path / "b"),
    )
    assert first.identity_hash == second.identity_hash
    assert first.run["files"] != second.run["files"]  # their times differ


def test_another_config_has_another_identity(tmp_path: Path) -> None:
    one, other = (
        count(CountConfig(), out=tmp_path / "a"),
        count(CountConfig(n=4), out=tmp_path / "b"),
    )
    assert one.identity_hash != other.identity_hash


def test_a_finished_stage_is_not_run_again(tmp_path: Path) -> None:
    first = count(CountConfig(), out=tmp_path / "a")
    before = (tmp_path / "a" / "timing.jsonl").read_bytes()
    assert count(CountConfig(), out=tmp_path / "a") == first
    assert (tmp_path / "a" / "timing.jsonl").read_bytes() == before


def test_another_config_in_the_same_folder_is_refused_and_the_difference_shown(
    tmp_path: Path,
) -> None:
    count(CountConfig(), out=tmp_path / "a")
    with pytest.raises(OutputOccupied, match=r"config\.n: 3 -> 5"):
        count(CountConfig(n=5), out=tmp_path / "a")
    assert open_folder(tmp_path / "a").manifest.counts["numbers"] == 3


def test_a_folder_that_rinsho_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputOccupied):
        count(CountConfig(), out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_error_inside_leaves_no_folder_that_looks_finished(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        new_folder(tmp_path / "a", stage="collect", config=CountConfig(), inputs={}) as folder,
    ):
        (folder.path / "half.txt").write_text("half")
        raise ZeroDivisionError
    assert not (tmp_path / "a").exists()


@settings(max_examples=60)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@pytest.mark.parametrize("name", ["numbers.txt", "timing.jsonl", "manifest.json"])
def test_one_flipped_bit_is_found_and_the_file_named(
    tmp_path_factory: pytest.TempPathFactory, name: str, position: float, bit: int
) -> None:
    out = tmp_path_factory.mktemp("run") / "a"
    count(CountConfig(n=40), out=out)
    data = bytearray((out / name).read_bytes())
    data[int(position * len(data))] ^= 1 << bit
    (out / name).write_bytes(bytes(data))
    with pytest.raises(Corrupt, match=name.replace(".", r"\.")):
        open_folder(out)


def test_a_folder_of_another_stage_is_refused(tmp_path: Path) -> None:
    count(CountConfig(), out=tmp_path / "a")
    with pytest.raises(WrongKind, match="collect"):
        open_folder(tmp_path / "a", "pretrain")


def test_missing_and_unfinished_folders_say_which(tmp_path: Path) -> None:
    with pytest.raises(PathMissing):
        open_folder(tmp_path / "nowhere")
    (tmp_path / "half").mkdir()
    with pytest.raises(NotFinished):
        open_folder(tmp_path / "half")


def test_a_private_folder_is_closed_to_others_and_says_so(tmp_path: Path) -> None:
    manifest = count(CountConfig(), out=tmp_path / "a", private=True)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert manifest.identity.is_private


def test_inputs_are_chained_and_private_inputs_make_private_outputs(tmp_path: Path) -> None:
    count(CountConfig(), out=tmp_path / "a", private=True)
    source = open_folder(tmp_path / "a")
    with new_folder(
        tmp_path / "b", stage="encode", config=CountConfig(), inputs={"documents": [source]}
    ) as folder:
        (folder.path / "x").write_text("x")
    identity = open_folder(tmp_path / "b").manifest.identity
    assert identity.inputs == {"documents": [source.manifest.identity_hash]}
    assert identity.is_private


def test_a_second_writer_is_told_to_wait(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a", stage="collect", config=CountConfig(), inputs={}) as folder:
        (folder.path / "x").write_text("x")
        with pytest.raises(FolderLocked):
            count(CountConfig(), out=tmp_path / "a")
    assert open_folder(tmp_path / "a").manifest.identity.files.keys() == {"x"}


WRITER = """
import sys; from pathlib import Path
from rinsho.manifest import new_folder
from rinsho.runfile import StageConfig
class Config(StageConfig): pass
out = Path(sys.argv[1])
with new_folder(out, stage="collect", config=Config(), inputs={}, can_resume=True) as f:
    seen = f.checkpoints / "seen"
    print(seen.read_text() if seen.exists() else "fresh", flush=True)
    seen.write_text("resumed")
    if len(sys.argv) > 2: print("saved", flush=True), sys.stdin.read()
"""


def test_a_killed_stage_releases_its_lock_and_hands_its_checkpoints_back(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "a")]
    with subprocess.Popen([*command, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"fresh\n"
        assert run.stdout.readline() == b"saved\n"
        run.kill()
    again = subprocess.run(command, capture_output=True, check=True)
    assert again.stdout == b"resumed\n"
    assert not (tmp_path / "a.partial").exists()


def test_a_full_disk_is_a_clear_error_and_keeps_what_was_finished(tmp_path: Path) -> None:
    count(CountConfig(), out=tmp_path / "a")
    with (
        pytest.raises(DiskFull),
        new_folder(tmp_path / "b", stage="collect", config=CountConfig(), inputs={}) as folder,
        Path("/dev/full").open("w") as full,  # a real device: every write says ENOSPC
    ):
        assert folder.path.is_dir()
        full.write("x" * 10_000)
        full.flush()
    assert not (tmp_path / "b").exists()
    assert open_folder(tmp_path / "a").manifest.counts["numbers"] == 3


def test_the_manifest_hashes_all_its_other_bytes(tmp_path: Path) -> None:
    import hashlib

    count(CountConfig(), out=tmp_path / "a")
    raw = (tmp_path / "a" / "manifest.json").read_bytes()
    own = json.loads(raw)["sha256"]
    assert hashlib.sha256(raw.replace(own.encode(), b"0" * 64)).hexdigest() == own


def test_a_file_where_the_folder_should_be_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputOccupied, match="a file"):
        count(CountConfig(), out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
