"""An end of turn is learned whatever the template: a tuned model stops by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rinsho.corpus.document import Message
from rinsho.encoding.conversation_files import ConversationFile
from rinsho.encoding.encode import EncodeConfig, encode
from rinsho.errors import TemplateRefused, TokenizerMismatch
from rinsho.generation.decoder_model import load_language_model
from rinsho.generation.language_model import Sampling
from rinsho.model.checkpoint import save_weights
from rinsho.model.decoder import new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.training.finetune import FinetuneConfig, finetune

transformers: Any = pytest.importorskip("transformers")

SPECIALS = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<start_of_turn>"]
TURNS = "{% for m in messages %}"
END = "{% endfor %}"
TEMPLATES = {
    "<|im_end|>": f"{TURNS}<|im_start|>{{{{ m.role }}}}\n{{{{ m.content }}}}<|im_end|>\n{END}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "<|eot_id|>": f"{TURNS}{{{{ m.role }}}}: {{{{ m.content }}}}<|eot_id|>{END}"
    "{% if add_generation_prompt %}assistant: {% endif %}",
    "</s>": f"{TURNS}{{% if m.role == 'user' %}}<s>[INST] {{{{ m.content }}}} [/INST]"
    f"{{% else %}} {{{{ m.content }}}} </s>{{% endif %}}{END}",
}
NO_END = f"{TURNS}{{{{ m.role }}}}: {{{{ m.content }}}}\n{END}"
PAIRS = {"咳は?": "なし", "熱は?": "あり", "痛みは?": "軽い"}
SHAPE = DecoderConfig(
    vocab_size=384, d_model=48, n_layers=2, n_heads=2, n_kv_heads=2, d_head=24, d_ff=96,
    context_length=64,
)  # fmt: skip


def a_model(folder: Path, template: str) -> Path:
    """A tiny Llama with fresh weights and another project's tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    fast.train_from_iterator([*PAIRS, *PAIRS.values(), "user assistant"] * 3, trainer)
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    theirs.chat_template = template
    theirs.save_pretrained(folder)
    save_weights(new_decoder(SHAPE, seed=0), folder)
    return folder


def tokens_of(base: Path, out: Path) -> Path:
    """The pairs, encoded with the tokenizer of a base."""
    records = [{"instruction": q, "output": a} for q, a in PAIRS.items()]
    path = out.with_name("pairs.json")
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    files = (ConversationFile(path=str(path), license="CC0-1.0"),)
    encode(EncodeConfig(what="conversations", files=files), tokenizer=base, out=out)
    return out


@pytest.mark.parametrize("end", TEMPLATES)
def test_a_tuned_model_answers_and_stops(end: str, tmp_path: Path) -> None:
    base = a_model(tmp_path / "base", TEMPLATES[end])
    tokens = tokens_of(base, tmp_path / "tokens")
    config = FinetuneConfig.model_validate(
        {
            "max_epochs": 200, "batch_tokens": 64, "micro_batch_tokens": 64,
            "learning_rate": 5e-3, "n_warmup_steps": 10,
            "precision": "fp32", "threads": 1, "weight_decay": 0.0, "evaluate_every_steps": 1_000,
            "checkpoint_every_steps": 1_000,
        }
    )  # fmt: skip
    finetune(config, base=base, tokens=tokens, out=tmp_path / "tuned")
    model = load_language_model(tmp_path / "tuned")
    for question, answer in PAIRS.items():
        prompt = model.tokenizer.render([Message("user", question)], add_generation_prompt=True)
        said = list(model.generate(prompt, Sampling(max_new_tokens=20)))
        assert model.tokenizer.decode(said).strip() == answer and len(said) < 20
    assert model.tokenizer.piece(model.tokenizer.end_of_turn_id) == end


def test_a_template_without_an_end_is_refused_when_encoding(tmp_path: Path) -> None:
    base = a_model(tmp_path / "base", NO_END)
    with pytest.raises(TemplateRefused, match="no special token ends an answer"):
        tokens_of(base, tmp_path / "tokens")


def test_tokens_of_another_template_are_refused(tmp_path: Path) -> None:
    base = a_model(tmp_path / "base", TEMPLATES["</s>"])
    other = a_model(tmp_path / "other", TEMPLATES["<|im_end|>"])
    tokens = tokens_of(other, tmp_path / "tokens")
    with pytest.raises(TokenizerMismatch):
        finetune(FinetuneConfig(threads=1), base=base, tokens=tokens, out=tmp_path / "tuned")
