"""A Whisper of 1.5 million parameters, trained on windows shorter than its own 30 s."""

import torch
from torch import Tensor
from torch.nn import functional
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

from . import vocabulary

POSITIONS = 1500
"""Encoder positions of 0.02 s in a window of 30 s."""


def new_network(seed: int) -> WhisperForConditionalGeneration:
    """Return the untrained network."""
    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=vocabulary.SIZE,
        num_mel_bins=80,
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_ffn_dim=512,
        max_source_positions=POSITIONS,
        max_target_positions=448,
        pad_token_id=vocabulary.END,
        bos_token_id=vocabulary.END,
        eos_token_id=vocabulary.END,
        decoder_start_token_id=vocabulary.START,
    )
    network = WhisperForConditionalGeneration(config)
    network.generation_config = GenerationConfig(decoder_start_token_id=vocabulary.START, eos_token_id=vocabulary.END)
    return network


def hear(network: WhisperForConditionalGeneration, features: Tensor, offset: int) -> Tensor:
    """Return the encoder's output (batch, frames / 2, 128) for log-mel features (batch, 80, frames).

    The Hugging Face encoder refuses fewer than 3,000 frames; here a shorter window takes the position
    embeddings from `offset` on, as if it stood there in a window of 30 s.
    """
    encoder = network.model.encoder
    hidden = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(features)))).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[offset : offset + hidden.shape[1]]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    return encoder.layer_norm(hidden)


def token_logits(network: WhisperForConditionalGeneration, heard: Tensor, tokens: Tensor) -> Tensor:
    """Return the scores of each next token (batch, tokens, vocabulary)."""
    decoded = network.model.decoder(input_ids=tokens, encoder_hidden_states=heard, use_cache=False)
    return network.proj_out(decoded.last_hidden_state)
