"""Exported folders: the same logits in transformers, the same tokenizer, the terms of the base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from rinsho.errors import InvalidValue, ModelCannot
from rinsho.manifest import new_folder, open_folder, read_manifest
from rinsho.model.base import load_trainable
from rinsho.model.checkpoint import load_decoder, save_weights
from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.export import ExportConfig, export
from rinsho.model.llama_form import as_llama
from rinsho.model.presets import DecoderConfig
from rinsho.runfile import StageConfig, to_config

TWO_MATRIX = DecoderConfig(
    vocab_size=97, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_head=8, d_ff=48,
    context_length=48, mlp="two-matrix", tie_embeddings=False,
)  # fmt: skip
TOKENS_BT = torch.randint(0, 97, (3, 40), generator=torch.Generator().manual_seed(5))
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\r\n{% endfor %}　"


def config(**values: Any) -> ExportConfig:
    made = to_config(ExportConfig, values, "[export]")
    assert isinstance(made, ExportConfig)
    return made


def scrambled(shape: DecoderConfig) -> Decoder:
    decoder = new_decoder(shape, seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return decoder.eval()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    with new_folder(tmp_path / "base", stage="pretrain", config=StageConfig(), inputs={}) as folder:
        save_weights(scrambled(TWO_MATRIX), folder.path)
        (folder.path / "tokenizer.json").write_bytes(b'{"x":  "\xe3\x80\x80"}')
        (folder.path / "chat_template.jinja").write_bytes(TEMPLATE.encode())
        folder.licenses.add("CC-BY-NC-4.0")
        folder.attributions.add("a hospital's notes")
    return tmp_path / "base"


def test_a_two_matrix_decoder_becomes_an_equal_llama(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    out = tmp_path / "exported"
    export(config(runtime="vllm"), base=base, out=out)
    theirs = AutoModelForCausalLM.from_pretrained(out).eval()
    arcee = AutoModelForCausalLM.from_pretrained(base).eval()
    assert (type(theirs).__name__, type(arcee).__name__) == ("LlamaForCausalLM", "ArceeForCausalLM")
    with torch.no_grad():
        assert_close(theirs(TOKENS_BT).logits, arcee(TOKENS_BT).logits, atol=1e-4, rtol=0)
    checks = json.loads((out / "export.json").read_text())
    assert checks["largest_logit_difference"] <= 1e-4
    assert checks["same_first_choice"] == 1.0


def test_the_equal_llama_has_bias_one_and_weight_zero_and_shares_the_rest() -> None:
    decoder = scrambled(TWO_MATRIX)
    tensors = as_llama(decoder).state_dict()
    for layer in ("model.layers.0.mlp", "model.layers.1.mlp"):
        assert not tensors[f"{layer}.up_proj.weight"].any()
        assert bool((tensors[f"{layer}.up_proj.bias"] == 1).all())
        assert not tensors[f"{layer}.gate_proj.bias"].any()
        assert not tensors[f"{layer}.down_proj.bias"].any()
        gate, up = (
            tensors[f"{layer}.gate_proj.weight"],
            decoder.state_dict()[f"{layer}.up_proj.weight"],
        )
        assert gate.data_ptr() == up.data_ptr()


def test_the_form_stays_where_transformers_runs_it(base: Path, tmp_path: Path) -> None:
    manifest = export(config(), base=base, out=tmp_path / "exported")
    assert manifest.counts["architecture"] == "ArceeForCausalLM"
    ours = load_decoder(tmp_path / "exported").state_dict()
    for name, tensor in load_decoder(base).state_dict().items():
        assert torch.equal(tensor, ours[name])


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_a_lower_precision_says_how_far_the_logits_lie_apart(
    dtype: str, base: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    out = tmp_path / "exported"
    export(config(dtype=dtype, max_shard_gb=2e-5), base=base, out=out)
    assert (out / "model.safetensors.index.json").is_file()
    checks = json.loads((out / "export.json").read_text())
    assert 0 < checks["largest_logit_difference"] < 0.05 * checks["largest_logit"]
    theirs = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
    assert theirs.dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}[dtype]


def test_numbers_that_fp16_cannot_hold_are_refused(base: Path, tmp_path: Path) -> None:
    large = scrambled(TWO_MATRIX)
    with torch.no_grad():
        large.lm_head.weight.mul_(1e6)
    folder = tmp_path / "large"
    folder.mkdir()
    save_weights(large, folder)
    with pytest.raises(InvalidValue, match="bf16 or fp32"):
        export(config(dtype="fp16"), base=folder, out=tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_tokenizer_and_template_go_along_byte_for_byte(base: Path, tmp_path: Path) -> None:
    export(config(runtime="vllm"), base=base, out=tmp_path / "exported")
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (tmp_path / "exported" / name).read_bytes() == (base / name).read_bytes()


def test_terms_of_the_base_go_along(base: Path, tmp_path: Path) -> None:
    export(config(), base=base, out=tmp_path / "exported")
    identity = read_manifest(tmp_path / "exported").identity
    assert identity.licenses == ("CC-BY-NC-4.0",)
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "CC-BY-NC-4.0" in card and "a hospital's notes" in card


def test_a_foreign_folder_is_exported_with_its_ids_license_and_card(tmp_path: Path) -> None:
    folder, out = tmp_path / "foreign", tmp_path / "exported"
    folder.mkdir()
    save_weights(scrambled(TWO_MATRIX), folder)
    written = json.loads((folder / "config.json").read_text()) | {"eos_token_id": [7, 8]}
    (folder / "config.json").write_text(json.dumps(written))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    (folder / "LICENSE").write_text("terms")
    export(config(runtime="vllm"), base=folder, out=out)
    assert json.loads((out / "config.json").read_text())["eos_token_id"] == [7, 8]
    assert (out / "LICENSE").read_text() == "terms"
    assert (out / "README.base.md").read_bytes() == (folder / "README.md").read_bytes()
    assert "Apache-2.0" in (out / "README.md").read_text()
    assert open_folder(out, "export").manifest.identity.licenses == ("apache-2.0",)


def test_another_architecture_is_exported_by_transformers(tmp_path: Path) -> None:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    theirs = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=48, max_position_embeddings=64,
        )
    )  # fmt: skip
    theirs.save_pretrained(tmp_path / "neox")
    out = tmp_path / "exported"
    manifest = export(config(dtype="bf16"), base=tmp_path / "neox", out=out)
    assert manifest.counts["architecture"] == "GPTNeoXForCausalLM"
    assert manifest.counts["stored_precision"] == "bfloat16"


def test_what_the_program_cannot_run_is_refused(base: Path, tmp_path: Path) -> None:
    with new_folder(tmp_path / "cut", stage="pretrain", config=StageConfig(), inputs={}) as folder:
        save_weights(scrambled(TWO_MATRIX), folder.path)
        (folder.path / "morphology.json").write_text("{}")
    with pytest.raises(ModelCannot, match="MeCab"):
        export(config(runtime="vllm"), base=tmp_path / "cut", out=tmp_path / "exported")
    with new_folder(tmp_path / "ner", stage="finetune", config=StageConfig(), inputs={}) as folder:
        save_weights(scrambled(TWO_MATRIX), folder.path)
        (folder.path / "head.json").write_text("{}")
    with pytest.raises(ModelCannot, match="head"):
        export(config(), base=tmp_path / "ner", out=tmp_path / "exported")


def test_the_same_export_again_is_the_one_that_is_there(base: Path, tmp_path: Path) -> None:
    first = export(config(), base=base, out=tmp_path / "exported")
    again = export(config(), base=base, out=tmp_path / "exported")
    other = export(config(), base=base, out=tmp_path / "other")
    assert first.run == again.run
    assert first.identity_hash == other.identity_hash


def a_pair(folder: Path, size: float) -> tuple[Path, Path]:
    """A Llama in bf16, and an adapter for it whose second matrices have this size."""
    from rinsho.model.adapter import AdapterSettings, attach_adapter, save_adapter

    shape = TWO_MATRIX.model_copy(update={"mlp": "gated", "tie_embeddings": False})
    (folder / "base").mkdir()
    save_weights(scrambled(shape), folder / "base", dtype=torch.bfloat16)
    decoder: Any = load_trainable(folder / "base", dtype=torch.float32)
    settings = AdapterSettings.model_validate({"rank": 4, "alpha": 8})
    torch.manual_seed(0)
    attach_adapter(decoder, settings)
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=size)
    (folder / "adapter").mkdir()
    save_adapter(decoder, folder / "adapter", settings, "base")
    return folder / "base", folder / "adapter"


def test_a_merged_adapter_has_the_logits_that_peft_gives_it(tmp_path: Path) -> None:
    peft: Any = pytest.importorskip("peft")
    transformers: Any = pytest.importorskip("transformers")
    base, adapter = a_pair(tmp_path, 0.2)
    plain = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(plain, adapter)
    with torch.no_grad():
        expected = theirs.eval()(input_ids=TOKENS_BT).logits
    for dtype, tolerance in (("fp32", 1e-4), ("keep", 0.5)):
        out = tmp_path / dtype
        manifest = export(config(dtype=dtype), base=base, adapter=adapter, out=out)
        found = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
        with torch.no_grad():
            assert_close(found(input_ids=TOKENS_BT).logits, expected, rtol=0, atol=tolerance)
        assert manifest.identity.inputs["adapter"] and not (out / "adapter_config.json").exists()
    assert manifest.counts["stored_precision"] == "bfloat16"
    checks = json.loads((tmp_path / "keep" / "export.json").read_text())
    assert checks["rounding_moves_logits_by"] < 0.1 * checks["adapter_moves_logits_by"]


def test_an_adapter_that_16_bits_round_away_is_not_merged(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    base, adapter = a_pair(tmp_path, 1e-4)
    with pytest.raises(InvalidValue, match="rounding"):
        export(config(), base=base, adapter=adapter, out=tmp_path / "x")
    export(config(dtype="fp32"), base=base, adapter=adapter, out=tmp_path / "y")
