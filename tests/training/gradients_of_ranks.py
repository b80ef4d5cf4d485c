"""One rank of a step of several: `python gradients_of_ranks.py OUT`, started by a test."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.presets import DecoderConfig
from rinsho.model.tensor_file import write_tensors
from rinsho.training.batches import TokenBatch
from rinsho.training.distributed import make_whole, new_store, shard
from rinsho.training.held_out import summed_loss
from rinsho.training.ranks import Ranks, joined_ranks
from rinsho.training.state import TrainingState, environment, take_snapshot
from rinsho.training.trained import Trained, whole

KINDS = ((False, "none"), (True, "none"), (True, "mlp"))  # tied embeddings; what is frozen
N_BATCHES = 3  # one rank of two has an idle pass


def decoder_of(is_tied: bool, frozen: str) -> Decoder:
    shape = {"vocab_size": 101, "d_model": 24, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1}
    rest = {"d_head": 12, "d_ff": 40, "context_length": 32, "tie_embeddings": is_tied}
    decoder = new_decoder(DecoderConfig.model_validate(shape | rest), seed=0)
    for name, parameter in decoder.named_parameters():
        parameter.requires_grad_(frozen == "none" or frozen not in name)
    return decoder


def batches_of_step() -> list[TokenBatch]:
    generator = torch.Generator().manual_seed(1)
    batches: list[TokenBatch] = []
    for lengths in [(20, 12), (7,), (31, 1, 5)][:N_BATCHES]:
        rows = torch.randint(101, (2, sum(lengths)), generator=generator)
        mask = torch.rand(sum(lengths), generator=generator) < 0.7
        n_counted = int(mask.sum())
        batches.append(TokenBatch(rows[0], rows[1], mask.byte(), lengths, n_counted, ("a",)))
    return batches


def gradients(decoder: Decoder, batches: Sequence[TokenBatch], ranks: Ranks) -> dict[str, Tensor]:
    n_counted = sum(batch.n_counted for batch in batches)
    for batch, weight in ranks.share(batches):
        (summed_loss(decoder, batch) / n_counted * weight).backward()
    return {
        name: whole(parameter.grad).clone()
        for name, parameter in decoder.named_parameters()
        if parameter.grad is not None
    }


def checkpoint_of_gathered(decoder: Decoder, folder: Path, ranks: Ranks) -> None:
    """Write a checkpoint while every parameter is gathered, as in the middle of a step."""
    (folder / "checkpoints").mkdir(exist_ok=True)
    here = environment(threads=1, precision="fp32")
    store = new_store(folder / "checkpoints", here, ranks, decoder)
    optimizer = torch.optim.AdamW(decoder.parameters())
    snapshot = take_snapshot(Trained(decoder, optimizer), TrainingState(step=1), {})
    sharded = [part for part in decoder.modules() if isinstance(part, FSDPModule)]
    for part in sharded:
        part.unshard()
    with store:
        store.save(snapshot)
    for part in sharded:
        part.reshard()


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with joined_ranks(60) as ranks:
        for is_tied, frozen in KINDS:
            decoder = decoder_of(is_tied, frozen)
            shard(decoder, ranks, "fp32")
            if (is_tied, frozen) == KINDS[0]:
                checkpoint_of_gathered(decoder, out, ranks)
            found = gradients(decoder, batches_of_step(), ranks)
            make_whole(decoder, ranks)
            if ranks.is_main:
                write_tensors(out / f"gradients-{is_tied}-{frozen}.safetensors", found)
                write_tensors(out / f"weights-{is_tied}-{frozen}.safetensors", decoder.state_dict())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
