"""Weights as one GGUF file, for llama.cpp and what is built on it; and back, to prove the file.

Our models are Llama, Qwen2 or Qwen3 there; a two-matrix one becomes an equal Llama. The tokenizer
is written in the form of PLaMo 2, the one kind of llama.cpp that, as ours, takes the likeliest
pieces of a Unigram vocabulary and spells other characters as bytes (its "t5" knows no bytes).
"""

# V vocabulary; Q rows of a query or key matrix

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rinsho.errors import MissingDependency, ModelCannot
from rinsho.model.architecture import model_type
from rinsho.model.decoder import Decoder
from rinsho.model.llama_form import as_llama
from rinsho.tokenizer.model_file import CONTROL, NORMAL, UNKNOWN, Piece, read_pieces
from rinsho.tokenizer.tokenizer import MODEL_FILE, is_foreign, is_run_time, read_tokenizer

if TYPE_CHECKING:
    from rinsho.model.presets import DecoderConfig

GGUF_FILE = "model.gguf"
StoredAs = Literal["fp16", "q8_0"]
_BLOCK = 32  # weights of a row that share a scale in Q8_0
_LEAST_SCORE = 990.0  # llama.cpp (llama-vocab.cpp) has 1000 for a character spelled as bytes


def _library() -> Any:
    try:
        import gguf
    except ImportError:
        raise MissingDependency(where="export", expected="gguf", found="gguf") from None
    return gguf


def refuse_gguf(config: DecoderConfig, folder: Path) -> None:
    """Refuse what this writer does not know; llama.cpp's own converter may.

    Raises:
        ModelCannot: Another project's tokenizer, one that needs MeCab, stretched positions, rows
            that no block of 32 divides.
        MissingDependency: The gguf package is not installed.
    """
    _library()
    hint = "use convert_hf_to_gguf.py of llama.cpp on `rinsho export --for transformers`"
    expected = "a tokenizer that rinsho trained, plain positions"
    found = None
    if is_run_time(folder):
        found = "a tokenizer that needs MeCab at run time"
    elif is_foreign(folder):
        found = "another project's tokenizer"
    elif config.rope_scaling is not None:
        found = "stretched positions"
    elif config.d_model % _BLOCK or config.d_ff % _BLOCK:
        found, expected = "an odd shape", f"d_model and d_ff that {_BLOCK} divides"
    if found is not None:
        raise ModelCannot(where=folder.name, found=found, expected=expected, hint=hint)


def write_gguf(decoder: Decoder, folder: Path, path: Path, stored_as: StoredAs) -> str:
    """Write a decoder and the tokenizer of `folder`; return the architecture's name in the file.

    Matrices are stored as asked, norms and biases in fp32. The same weights give the same bytes.
    """
    gguf = _library()
    written = as_llama(decoder)
    kind = model_type(written.config)
    writer = gguf.GGUFWriter(path, kind)
    write_shape(writer, written.config)
    kinds = {"fp16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
    writer.add_file_type(kinds[stored_as])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _write_tokenizer(writer, folder)
    quantization = {
        "fp16": gguf.GGMLQuantizationType.F16,
        "q8_0": gguf.GGMLQuantizationType.Q8_0,
    }[stored_as]
    names = _names(gguf, kind, written.config.n_layers)
    for name, tensor in sorted(written.state_dict().items()):
        values = _turned(name, tensor, written.config, kind).float().numpy()
        is_matrix = values.ndim == 2
        stored = quantization if is_matrix else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(values, stored)
        writer.add_tensor(_name(names, name), data, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return kind


def read_gguf(path: Path, config: DecoderConfig) -> Decoder:
    """Return the decoder of a file that `write_gguf` made, in fp32.

    Args:
        path: The file.
        config: The shape of the decoder that was written.
    """
    gguf = _library()
    with torch.device("meta"):
        decoder = as_llama(Decoder(config))
    kind = model_type(decoder.config)
    names = _names(gguf, kind, decoder.config.n_layers)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    tensors: dict[str, Tensor] = {}
    for name, like in decoder.state_dict().items():
        one = stored[_name(names, name)]
        values: NDArray[np.float32] = gguf.quants.dequantize(one.data, one.tensor_type)
        tensor = torch.from_numpy(np.array(values, dtype=np.float32)).reshape(like.shape)
        tensors[name] = _turned(name, tensor, decoder.config, kind, back=True)
    decoder.load_state_dict(tensors, assign=True)
    return decoder.eval()


def _names(gguf: Any, kind: str, n_layers: int) -> Any:
    architecture = {"llama": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}[kind]
    return gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture], n_layers)


def _name(names: Any, ours: str) -> str:
    found: str = names.get_name(ours, try_suffixes=(".weight", ".bias"))
    return found


def _turned(
    name: str, tensor: Tensor, config: DecoderConfig, kind: str, *, back: bool = False
) -> Tensor:
    """Return query and key rows in the order in which llama.cpp turns Llama's positions.

    Ours turns row i of a head with row i + D/2, its Llama neighbours: (0, D/2, 1, D/2 + 1, …).
    """
    is_query, is_key = ".q_proj." in name, ".k_proj." in name
    if kind != "llama" or not (is_query or is_key):
        return tensor
    n_heads = config.n_heads if is_query else config.n_kv_heads
    halves = (n_heads, config.d_head // 2, 2) if back else (n_heads, 2, config.d_head // 2)
    return tensor.reshape(*halves, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)


def write_shape(writer: Any, config: DecoderConfig) -> None:
    """Write what llama.cpp needs of a shape to a `gguf.GGUFWriter`."""
    writer.add_context_length(config.context_length)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.n_heads)
    writer.add_head_count_kv(config.n_kv_heads)
    writer.add_key_length(config.d_head)
    writer.add_value_length(config.d_head)
    writer.add_rope_dimension_count(config.d_head)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _write_tokenizer(writer: Any, folder: Path) -> None:
    pieces = read_pieces((folder / MODEL_FILE).read_bytes())
    tokenizer = read_tokenizer(folder)
    writer.add_tokenizer_model("plamo2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.text.replace("▁", " ").encode() for piece in pieces])
    writer.add_token_scores(_scores(pieces))
    writer.add_token_types([piece.type for piece in pieces])
    writer.add_bos_token_id(tokenizer.bos_id)
    writer.add_eos_token_id(tokenizer.end_of_turn_id)  # where a turn ends, generation ends
    writer.add_unk_token_id(tokenizer.unk_id)
    writer.add_pad_token_id(tokenizer.pad_id)
    writer.add_add_bos_token(False)  # the chat template writes it
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    stated = json.loads((folder / "tokenizer_config.json").read_bytes())
    if template := stated.get("chat_template"):
        writer.add_chat_template(template)


def _scores(pieces: Sequence[Piece]) -> list[float]:
    """Return log-probabilities in a unit that llama.cpp, which rounds to 1e-4, keeps apart.

    What stands for no text, control tokens above all, has none: a note that spells one gets its
    letters.
    """
    furthest = max(abs(piece.score) for piece in pieces if piece.type == NORMAL)
    unit = 2.0 ** math.floor(math.log2(_LEAST_SCORE / furthest))  # exact in floating point
    no_text = (UNKNOWN, CONTROL)
    return [-math.inf if piece.type in no_text else piece.score * unit for piece in pieces]
