from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rinsho.corpus.document import Message, read_documents
from rinsho.corpus.splits import SPLITS, split_of
from rinsho.encoding.conversation import encode_conversation, encode_text
from rinsho.encoding.encode import EncodeConfig, encode, show_encode
from rinsho.encoding.token_shard import read_token_split
from rinsho.errors import Corrupt, NothingToRead, WrongKind
from rinsho.manifest import open_folder
from rinsho.tokenizer.tokenizer import Tokenizer, read_tokenizer

MESSAGES = [Message("user", "発熱と<|end|>は?"), Message("assistant", "肺炎😀")]


def run(documents: Path, tokenizer: Path, out: Path, **config: object) -> Path:
    given = EncodeConfig.model_validate(config)
    encode(given, documents=[documents], tokenizer=tokenizer, out=out)
    return out


def test_every_text_comes_back_from_its_split(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "tokens")
    tokenizer = read_tokenizer(out)
    texts = {d.id: d for d in read_documents(documents_folder) if d.messages is None}
    n_seen = 0
    for split in SPLITS:
        shard = read_token_split(out, split)
        for i, id_ in enumerate(shard.ids):
            tokens, loss_mask = shard.document(i)
            assert tokenizer.decode(tokens.tolist()) == texts[id_].text
            assert (tokens[0], tokens[-1]) == (tokenizer.bos_id, tokenizer.eos_id)
            assert loss_mask.tolist() == [0] + [1] * (len(tokens) - 1)
            assert shard.n_bytes[i] == len(texts[id_].text.encode())
            assert split_of(texts[id_]) == split
            n_seen += 1
    assert n_seen == len(texts) == 240


def test_no_group_is_in_two_splits(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "tokens")
    groups = [set(read_token_split(out, split).groups) - {None} for split in SPLITS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30


def test_only_answers_and_their_ends_are_learned(tokenizer: Tokenizer):
    encoded = encode_conversation(tokenizer, MESSAGES)
    learned = [t for t, m in zip(encoded.tokens, encoded.loss_mask, strict=True) if m]
    assert learned == [*tokenizer.encode("肺炎😀"), tokenizer.end_of_turn_id]
    assert encoded.n_bytes == len("肺炎😀".encode())


def test_a_conversation_is_encoded_as_it_is_rendered(tokenizer: Tokenizer):
    assert encode_conversation(tokenizer, MESSAGES).tokens == tokenizer.render(MESSAGES)


def test_the_start_of_a_text_is_not_learned_and_its_end_is(tokenizer: Tokenizer):
    encoded = encode_text(tokenizer, "発熱")
    assert encoded.loss_mask[0] == 0 and encoded.loss_mask[-1] == 1


def test_conversations_leave_texts_out(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "t", what="conversations")
    counts = open_folder(out, "encode").manifest.counts
    assert list(counts["sources"]) == ["talk"]
    assert sum(counts["splits"][split]["documents"] for split in SPLITS) == 40
    assert counts["left_out"] == {"no answer to learn": 1}


def test_counts_are_those_of_the_shards(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "tokens")
    counts = open_folder(out, "encode").manifest.counts
    for split in SPLITS:
        shard = read_token_split(out, split)
        assert counts["splits"][split]["documents"] == shard.n_documents
        assert counts["splits"][split]["tokens"] == shard.n_tokens
        assert counts["splits"][split]["learned_tokens"] == int(shard.loss_mask.sum())
        assert counts["splits"][split]["bytes"] == int(shard.n_bytes.sum())


def test_sources_are_chosen_and_repeated_in_training_alone(
    documents_folder, tokenizer_folder, tmp_path
):
    plain = run(documents_folder, tokenizer_folder, tmp_path / "a", include_sources=["note"])
    twice = run(documents_folder, tokenizer_folder, tmp_path / "b", repeats={"note": 2})
    for split in SPLITS:
        once = list(read_token_split(plain, split).ids)
        assert all(id_.startswith("note/") for id_ in once)
        found = [i for i in read_token_split(twice, split).ids if i.startswith("note/")]
        assert sorted(found) == sorted(once * (2 if split == "train" else 1))


def test_excluded_sources_are_left_out(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "a", exclude_sources=["note"])
    assert list(open_folder(out).manifest.counts["sources"]) == ["book"]


@pytest.mark.parametrize("repeats", [{}, {"note": 3}])
def test_a_limit_of_tokens_is_filled_and_not_passed(
    documents_folder, tokenizer_folder, tmp_path, repeats
):
    out = run(documents_folder, tokenizer_folder, tmp_path / "t", max_tokens=2_000, repeats=repeats)
    counts = open_folder(out).manifest.counts
    n_tokens = sum(counts["splits"][split]["tokens"] for split in SPLITS)
    assert 1_800 < n_tokens <= 2_000
    assert set(counts["sources"]) == {"note", "book"}


def test_a_limit_of_documents_holds(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "t", max_documents=50)
    counts = open_folder(out).manifest.counts
    assert sum(counts["splits"][split]["documents"] for split in SPLITS) == 50
    assert counts["left_out"] == {"limit": 190}


def test_two_runs_give_the_same_identity(documents_folder, tokenizer_folder, tmp_path):
    one, two = (run(documents_folder, tokenizer_folder, tmp_path / name) for name in "ab")
    assert open_folder(one).manifest.identity_hash == open_folder(two).manifest.identity_hash


def test_a_tokens_folder_holds_no_text(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "tokens")
    names = {p.name for p in out.iterdir()}
    assert names == {
        *(f"{s}-00000.{a}.npy" for s in SPLITS for a in ("tokens", "loss_mask", "document_starts")),
        *("documents-00000.jsonl.zst", "manifest.json"),
        *("tokenizer.model", "tokenizer.json", "tokenizer_config.json"),
    }


def test_showing_marks_what_is_learned(documents_folder, tokenizer_folder):
    config = EncodeConfig(what="conversations")
    shown = list(show_encode(config, 2, documents=[documents_folder], tokenizer=tokenizer_folder))
    assert len(shown) == 2
    learned = "".join(text for text, is_learned in shown[0].tokens if is_learned)
    assert learned.count("<|end|>") == 2 and "発熱" not in learned
    assert str(shown[0]).count("⟦") == 2


def test_nothing_to_encode_is_an_error_and_leaves_nothing(
    documents_folder, tokenizer_folder, tmp_path
):
    with pytest.raises(NothingToRead):
        run(documents_folder, tokenizer_folder, tmp_path / "t", include_sources=["none"])
    assert not (tmp_path / "t").exists()


def test_swapped_folders_are_refused(documents_folder, tokenizer_folder, tmp_path):
    with pytest.raises(WrongKind):
        run(tokenizer_folder, documents_folder, tmp_path / "t")


def test_a_changed_shard_is_found(documents_folder, tokenizer_folder, tmp_path):
    out = run(documents_folder, tokenizer_folder, tmp_path / "t")
    path = out / "train-00000.tokens.npy"
    raw = bytearray(path.read_bytes())
    raw[200] ^= 1
    path.write_bytes(raw)
    with pytest.raises(Corrupt, match=r"train-00000\.tokens\.npy"):
        open_folder(out)


def test_the_config_is_read_without_heavy_packages():
    script = (
        "import sys\n"
        "for name in ('fugashi', 'ipadic', 'torch', 'transformers'): sys.modules[name] = None\n"
        "import rinsho.encoding.encode"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
