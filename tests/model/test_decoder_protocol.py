"""The decoder as training and the heads see it."""

import pytest

from rinsho.model.decoder import Decoder, new_decoder
from rinsho.model.decoder_protocol import TrainableDecoder, as_module
from rinsho.model.presets import decoder_config


def test_our_decoder_is_a_trainable_decoder() -> None:
    decoder: TrainableDecoder = new_decoder(decoder_config("demo", 64), seed=0)
    assert isinstance(as_module(decoder), Decoder)
    assert decoder.output_weight.shape == (decoder.config.vocab_size, decoder.config.d_model)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(TypeError):
        as_module("weights")  # pyright: ignore[reportArgumentType]
