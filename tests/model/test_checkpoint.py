"""Weights folders against transformers, an independent implementation of the same models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from rinsho.errors import (
    PathMissing,
    PickleRefused,
    RinshoError,
    UnknownArchitecture,
    WeightsMismatch,
)
from rinsho.model.checkpoint import load_decoder, save_weights, write_tensors
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig

SMALL = DecoderConfig(
    vocab_size=97, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_head=8, d_ff=48,
    context_length=64,
)  # fmt: skip
SHAPES = {
    "llama": SMALL,
    "llama-untied-wide-head": SMALL.model_copy(update={"tie_embeddings": False, "d_head": 16}),
    "arcee": SMALL.model_copy(update={"mlp": "two-matrix", "tie_embeddings": False}),
    "qwen2": SMALL.model_copy(update={"qkv_bias": True, "rope_theta": 1e6, "norm_eps": 1e-6}),
    "qwen3": SMALL.model_copy(update={"qk_norm": True, "d_head": 16}),
}
CLASSES = {
    "llama": "LlamaForCausalLM",
    "arcee": "ArceeForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def scrambled(config: DecoderConfig, seed: int = 1) -> Decoder:
    """A decoder with large random weights, biases and norms too, so that no term is near 0."""
    decoder = new_decoder(config, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return decoder.eval()


TOKENS_BT = torch.randint(0, 97, (3, 40), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", SHAPES)
def test_transformers_reads_our_folder_and_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    decoder = scrambled(SHAPES[name])
    save_weights(decoder, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert type(theirs).__name__ == CLASSES[name.partition("-")[0]]
    with torch.no_grad():
        assert_close(theirs(TOKENS_BT).logits, decoder(TOKENS_BT), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SHAPES)
def test_we_read_a_folder_of_transformers_and_give_the_same_logits(
    name: str, tmp_path: Path
) -> None:
    import transformers

    config = SHAPES[name]
    kind = name.partition("-")[0]
    their_config = getattr(transformers, CLASSES[kind].replace("ForCausalLM", "Config"))(
        vocab_size=config.vocab_size, hidden_size=config.d_model, head_dim=config.d_head,
        num_hidden_layers=config.n_layers, num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_kv_heads, intermediate_size=config.d_ff, hidden_act="silu",
        max_position_embeddings=64, tie_word_embeddings=config.tie_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        rms_norm_eps=config.norm_eps,
    )  # fmt: skip
    torch.manual_seed(3)
    theirs = getattr(transformers, CLASSES[kind])(their_config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    theirs.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    ours = load_decoder(tmp_path).eval()
    assert ours.config == config
    with torch.no_grad():
        assert_close(ours(TOKENS_BT), theirs(TOKENS_BT).logits, atol=1e-4, rtol=0)


def test_saved_weights_come_back_bit_for_bit_and_in_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    decoder = scrambled(SHAPES["qwen3"])
    save_weights(decoder, first)
    again = load_decoder(first)
    for name, tensor in decoder.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    save_weights(again, second)
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_safetensors_reads_what_the_writer_wrote(tmp_path: Path) -> None:
    tensors = {
        "b": torch.randn(3, 5),
        "a": torch.randn(2, 2, 2).to(torch.bfloat16),
        "scalar": torch.tensor(1.5, dtype=torch.float16),
        "transposed": torch.randn(4, 6).T,
        "empty": torch.empty(0, 3),
    }
    write_tensors(tmp_path / "x.safetensors", tensors)
    found = load_file(tmp_path / "x.safetensors")
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_weights_are_converted_on_request(tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    assert load_decoder(tmp_path, dtype=torch.bfloat16).output_weight.dtype == torch.bfloat16


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(PickleRefused, match=r"pytorch_model\.bin"):
        load_decoder(tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(PathMissing, match=r"config\.json"):
        load_decoder(tmp_path)
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(PathMissing, match=r"model\.safetensors"):
        load_decoder(tmp_path)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"] = torch.zeros(47, 32)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMismatch, match=r"layers\.1\.mlp\.up_proj.*\[48, 32\].*\[47, 32\]"):
        load_decoder(tmp_path)


def test_a_missing_and_an_unknown_tensor_are_named(tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    norm = tensors.pop("model.norm.weight")
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMismatch, match=r"model\.norm\.weight.*no tensor"):
        load_decoder(tmp_path)
    save_file(
        {**tensors, "model.norm.weight": norm, "score.weight": norm.clone()},
        tmp_path / "model.safetensors",
    )
    with pytest.raises(WeightsMismatch, match=r"score\.weight"):
        load_decoder(tmp_path)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    raw = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(raw[:-8])
    with pytest.raises(WeightsMismatch, match=r"model\.safetensors"):
        load_decoder(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "gpt2"},
        {"hidden_act": "gelu"},
        {"use_sliding_window": True},
        {"layer_types": ["full_attention", "sliding_attention"]},
        {"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4, "factor": 4.0}},
        {"rope_scaling": {"type": "unknown", "factor": 2.0}, "rope_parameters": None},
        {"partial_rotary_factor": 0.5},
        {"quantization_config": {"quant_method": "gptq"}},
        {"auto_map": {"AutoModelForCausalLM": "modeling.Model"}},
    ],
)
def test_what_would_compute_something_else_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnknownArchitecture):
        load_decoder(tmp_path)


def test_a_tied_copy_of_the_output_matrix_is_accepted_and_another_matrix_refused(
    tmp_path: Path,
) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    embedding = tensors["model.embed_tokens.weight"]
    save_file({**tensors, "lm_head.weight": embedding.clone()}, tmp_path / "model.safetensors")
    load_decoder(tmp_path)
    save_file({**tensors, "lm_head.weight": embedding + 1}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMismatch, match="lm_head"):
        load_decoder(tmp_path)


def test_integers_in_place_of_weights_are_refused(tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.norm.weight"] = torch.ones(32, dtype=torch.int8)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMismatch, match="int8"):
        load_decoder(tmp_path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["config.json", "model.safetensors"]),
    place=st.floats(0, 1, exclude_max=True),
    bytes_=st.binary(min_size=1, max_size=4),
)
def test_damaged_bytes_give_our_error_or_a_decoder_never_a_crash(
    name: str, place: float, bytes_: bytes, tmp_path: Path
) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    raw = bytearray((tmp_path / name).read_bytes())
    n_head = len(raw) if name == "config.json" else 2_500  # behind the header lie numbers alone
    start = int(place * n_head)
    raw[start : start + len(bytes_)] = bytes_
    (tmp_path / name).write_bytes(raw)
    try:
        load_decoder(tmp_path)
    except RinshoError as error:
        assert tmp_path.name in error.where


@pytest.mark.parametrize(
    "config",
    [
        [], 3, {"model_type": "llama"}, {"model_type": "llama", "num_attention_heads": 0},
        {"num_hidden_layers": 10**9}, {"hidden_size": "wide"}, {"rope_parameters": 3},
        {"rope_theta": "x", "rope_parameters": None},
    ],
)  # fmt: skip
def test_a_config_of_another_form_is_refused(config: object, tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    if isinstance(config, dict) and "model_type" not in config:
        config = json.loads((tmp_path / "config.json").read_text()) | config
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises((WeightsMismatch, UnknownArchitecture)):
        load_decoder(tmp_path)


@pytest.mark.parametrize(
    "index", ["{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 1}}']
)
def test_a_broken_index_is_refused(index: str, tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(WeightsMismatch, match="index"):
        load_decoder(tmp_path)


def test_an_index_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    save_weights(new_decoder(SMALL, seed=0), outside)
    (folder / "config.json").write_bytes((outside / "config.json").read_bytes())
    shards = {"weight_map": {"x": "../outside/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards))
    with pytest.raises(PathMissing):
        load_decoder(folder)


def test_large_weights_are_written_as_shards_that_transformers_reads(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    decoder = scrambled(SHAPES["arcee"])
    save_weights(decoder, tmp_path, max_shard_bytes=30_000)
    shards = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(shards) > 2
    assert shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    n_bytes = sum(tensor.nbytes for tensor in decoder.state_dict().values())
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == n_bytes
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert_close(theirs(TOKENS_BT).logits, decoder(TOKENS_BT), atol=1e-4, rtol=0)
    (tmp_path / shards[1]).unlink()
    with pytest.raises(PathMissing, match=shards[1]):
        load_decoder(tmp_path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_are_stored_in_the_precision_asked_for(dtype: torch.dtype, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    decoder = scrambled(SHAPES["llama"])
    save_weights(decoder, tmp_path, dtype=dtype)
    assert decoder.output_weight.dtype == torch.float32
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto").eval()
    assert theirs.dtype == dtype
    ours = load_decoder(tmp_path, dtype=torch.float32).eval()
    with torch.no_grad():
        assert_close(ours(TOKENS_BT), theirs.float()(TOKENS_BT).logits, atol=1e-4, rtol=0)


def test_the_rotary_table_of_old_llama_files_is_left_out(tmp_path: Path) -> None:
    save_weights(new_decoder(SMALL, seed=0), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(tensors, tmp_path / "model.safetensors")
    load_decoder(tmp_path)


def test_reading_needs_little_more_memory_than_the_model(tmp_path: Path) -> None:
    wide = SMALL.model_copy(update={"vocab_size": 4_096, "d_model": 512, "n_layers": 8})
    wide = wide.model_copy(update={"d_ff": 2_048})
    save_weights(new_decoder(wide, seed=0), tmp_path)
    n_bytes = (tmp_path / "model.safetensors").stat().st_size
    assert n_bytes > 90e6
    code = (
        "import resource, sys; from pathlib import Path;"
        "from rinsho.model.checkpoint import load_decoder;"
        "peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "before = peak(); kept = load_decoder(Path(sys.argv[1])); print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1.15 * n_bytes
