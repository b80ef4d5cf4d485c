"""Opening base models: folders of ours, foreign folders, hub ids; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rinsho.errors import (
    Corrupt,
    LicenseRefused,
    ModelNotHere,
    PathMissing,
    PickleRefused,
    ProgramRefused,
    WeightsMismatch,
    WrongKind,
)
from rinsho.manifest import new_folder, read_manifest
from rinsho.model.base import is_ours, load_trainable, open_base
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import decoder_config
from rinsho.runfile import StageConfig

SHAPE = decoder_config("demo", 64, 32).model_copy(update={"n_layers": 1, "d_model": 32, "d_ff": 32})


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    folder = tmp_path / "qwen-like"
    folder.mkdir()
    save_weights(new_decoder(SHAPE, seed=0), folder)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    return folder


def finished(out: Path, stage: str = "pretrain") -> Path:
    with new_folder(out, stage=stage, config=StageConfig(), inputs={}) as folder:
        save_weights(new_decoder(SHAPE, seed=0), folder.path)
        folder.licenses.add("CC-BY-NC-4.0")
    return out


def test_a_folder_of_ours_is_checked_and_named_by_its_identity(tmp_path: Path) -> None:
    out = finished(tmp_path / "weights")
    base = open_base(out)
    assert base.finished is not None
    assert base.finished.manifest.identity_hash == read_manifest(out).identity_hash
    assert isinstance(load_trainable(base.path), Decoder)
    with pytest.raises(LicenseRefused):
        base.check_license((), noncommercial=False)
    with (out / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(Corrupt):
        open_base(out)


def test_a_folder_of_another_stage_is_no_base(tmp_path: Path) -> None:
    with pytest.raises(WrongKind):
        open_base(finished(tmp_path / "documents", stage="collect"))
    with pytest.raises(WrongKind):
        open_base(finished(tmp_path / "weights"), "extend-weights")


def test_the_hash_of_a_foreign_folder_covers_weights_and_tokenizer_only(foreign: Path) -> None:
    before = open_base(foreign).source
    (foreign / "README.md").write_text("another page")
    (foreign / ".gitattributes").write_text("*.safetensors filter=lfs")
    assert open_base(foreign).source == before
    (foreign / "tokenizer.json").write_text('{"another": 1}')
    assert open_base(foreign).source != before


def test_a_foreign_folder_stands_in_the_chain_by_its_hash(foreign: Path, tmp_path: Path) -> None:
    base, out = open_base(foreign), tmp_path / "made"
    with new_folder(out, stage="finetune", config=StageConfig(), inputs={"base": base.source}) as f:
        base.record_license(f)
    identity = read_manifest(out).identity
    assert identity.inputs["base"] == f"sha256:{base.source}"
    assert identity.licenses == ("apache-2.0",)


@pytest.mark.parametrize(
    ("readme", "is_refused"),
    [
        ("---\nlicense: apache-2.0\n---\n", False),
        ('---\ntags: [x]\nlicense: "cc-by-nc-4.0"\n---\n', True),
        ("---\nlicense: llama3\n---\n", True),
        ("no front matter\nlicense: llama3\n", False),
    ],
)
def test_the_license_of_a_foreign_folder_is_read_from_its_card(
    foreign: Path, readme: str, is_refused: bool
) -> None:
    (foreign / "README.md").write_text(readme)
    base = open_base(foreign)
    if is_refused:
        with pytest.raises(LicenseRefused):
            base.check_license((), noncommercial=False)
        assert base.license is not None
        base.check_license((base.license,), noncommercial=False)
    else:
        base.check_license((), noncommercial=False)


def in_cache(cache: Path, foreign: Path, hub_id: str, revision: str) -> None:
    """Lay a model down as the hub's own client does: blobs, and links from a snapshot to them."""
    root = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = root / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (root / "blobs").mkdir()
    for number, path in enumerate(sorted(foreign.iterdir())):
        path.rename(root / "blobs" / str(number))
        (snapshot / path.name).symlink_to(Path("..", "..", "blobs", str(number)))
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(revision)


def test_a_hub_id_is_taken_from_the_cache_alone(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    source, revision = open_base(foreign).source, "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    in_cache(tmp_path / "cache", foreign, "org/tiny", revision)
    base = open_base("org/tiny")
    assert (base.name, base.source, base.license) == ("org/tiny", source, "apache-2.0")
    assert open_base(Path("org/tiny")).path == open_base(f"org/tiny@{revision}").path
    with pytest.raises(ModelNotHere, match=r"`hf download org/other`"):
        open_base("org/other")
    with pytest.raises(ModelNotHere, match=r"`hf download org/tiny --revision v2`"):
        open_base("org/tiny@v2")


def test_a_path_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(PathMissing):
        open_base(tmp_path / "nothing")
    with pytest.raises(PathMissing):
        open_base("nothing")


def test_a_pickle_is_refused_before_anything_is_read(foreign: Path) -> None:
    (foreign / "model.safetensors").rename(foreign / "pytorch_model.bin")
    with pytest.raises(PickleRefused, match="save_pretrained"):
        open_base(foreign)


def test_a_model_with_a_program_of_its_own_is_refused(foreign: Path) -> None:
    config = json.loads((foreign / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_x.Model"}
    (foreign / "config.json").write_text(json.dumps(config))
    with pytest.raises(ProgramRefused, match="auto_map"):
        open_base(foreign)


def test_a_folder_without_weights_or_shape_is_refused(foreign: Path) -> None:
    (foreign / "model.safetensors").unlink()
    with pytest.raises(PathMissing, match="safetensors"):
        open_base(foreign)
    (foreign / "config.json").write_text("[")
    with pytest.raises(WeightsMismatch):
        open_base(foreign)
    (foreign / "config.json").unlink()
    with pytest.raises(PathMissing, match=r"config\.json"):
        open_base(foreign)


def test_our_decoder_is_chosen_where_it_computes_the_same(foreign: Path) -> None:
    assert is_ours(foreign)
    config = json.loads((foreign / "config.json").read_text())
    for change in ({"model_type": "gpt_neox"}, {"hidden_act": "gelu"}):
        (foreign / "config.json").write_text(json.dumps(config | change))
        assert not is_ours(foreign)
