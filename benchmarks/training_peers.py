"""The other trainers that ours is compared with; each is imported when it is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn


def finish(loss: torch.Tensor, module: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    """Do what every trainer does behind the loss: backward, clip, step."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def new_llama(setting: Any) -> nn.Module:
    """Return transformers' Llama of the shape, with fresh weights, ready to train."""
    from transformers import LlamaConfig, LlamaForCausalLM

    c = setting.config
    config = LlamaConfig(
        vocab_size=c.vocab_size, hidden_size=c.d_model, intermediate_size=c.d_ff,
        num_hidden_layers=c.n_layers, num_attention_heads=c.n_heads,
        num_key_value_heads=c.n_kv_heads, head_dim=c.d_head, tie_word_embeddings=c.tie_embeddings,
        max_position_embeddings=c.context_length, use_cache=False,
    )  # fmt: skip
    return LlamaForCausalLM(config).train()


def llama_step(setting: Any) -> Callable[[], float]:
    """Return a step of transformers' Llama, eager, with its own loss."""
    model = new_llama(setting)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    inputs = setting.tokens_BT[:, :-1].contiguous()

    def step() -> float:
        with setting.computing():
            loss = model(input_ids=inputs, labels=inputs).loss
        return finish(loss, model, optimizer)

    return step


def litgpt_step(setting: Any) -> Callable[[], float]:
    """Return a step of litgpt's GPT, compiled as `litgpt pretrain` compiles it."""
    from litgpt import GPT, Config
    from litgpt.utils import chunked_cross_entropy

    c = setting.config
    config = Config(
        name="peer", block_size=c.context_length, vocab_size=c.vocab_size,
        padded_vocab_size=c.vocab_size, n_layer=c.n_layers, n_head=c.n_heads, n_embd=c.d_model,
        n_query_groups=c.n_kv_heads, head_size=c.d_head, rotary_percentage=1.0,
        parallel_residual=False, bias=False, norm_class_name="RMSNorm", norm_eps=c.norm_eps,
        mlp_class_name="LLaMAMLP", intermediate_size=c.d_ff,
    )  # fmt: skip
    model = GPT(config)
    if c.tie_embeddings:
        model.lm_head.weight = model.transformer.wte.weight
    compiled: Any = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    inputs = setting.tokens_BT[:, :-1].contiguous()
    labels = setting.tokens_BT[:, 1:].contiguous()

    def step() -> float:
        with setting.computing():
            loss = chunked_cross_entropy(compiled(inputs), labels, chunk_size=0)
        return finish(loss, model, optimizer)

    return step


def trainer_steps(setting: Any, n_steps: int = 1_000) -> Iterator[None]:
    """Yield after each step of `transformers.Trainer` with its defaults.

    It trains in a thread of its own that runs only between two yields, so that its steps can be
    interleaved with those of others: its data loading and its bookkeeping count as its own.
    """
    import threading

    from transformers import Trainer, TrainerCallback, TrainingArguments

    rows = [{"input_ids": row, "labels": row} for row in setting.tokens_BT[:, :-1]]
    go, done = threading.Semaphore(0), threading.Semaphore(0)
    failed: list[BaseException] = []
    threads = torch.get_num_threads()

    class TurnTaking(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            done.release()
            go.acquire()

    def train() -> None:
        go.acquire()
        torch.set_num_threads(threads)
        try:
            with tempfile.TemporaryDirectory() as folder:
                arguments = TrainingArguments(
                    output_dir=folder, max_steps=n_steps, use_cpu=True, report_to=[],
                    bf16=setting.precision == "bf16", disable_tqdm=True, save_strategy="no",
                )  # fmt: skip
                trainer = Trainer(
                    new_llama(setting), arguments, train_dataset=rows, callbacks=[TurnTaking()]
                )
                trainer.train()
        except BaseException as error:
            failed.append(error)
            done.release()

    threading.Thread(target=train, daemon=True).start()
    while not failed:
        go.release()
        done.acquire()
        yield
    raise failed[0]
