"""A Whisper of 1.5 million parameters, trained on windows shorter than its own 30 s."""

from copy import copy
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

from . import vocabulary

WIDTH = 128
POSITIONS = 1500
"""Encoder positions of 0.02 s in a window of 30 s."""
GUIDED_HEADS = [[0, 0], [0, 1], [1, 0], [1, 1]]
"""Layer and head of the decoder's cross-attention that follow the speech; faster-whisper takes word times from them."""
EMBEDDING_SCALE = 0.05
"""Standard deviation of token and position embeddings before training."""


def _head_by_head(
    _module: nn.Module, query: Tensor, key: Tensor, value: Tensor, _mask: None, **_options: object
) -> tuple[Tensor, None]:
    """Return the attention of scaled queries, (batch, positions, heads, width of a head), and no weights.

    Beside a decoder's few, an encoder has 1,500 x 1,500 weights a head: a head at a time, they stay in the cache of a
    processor, which then takes two thirds of the time of PyTorch's own kernel, forward and back (bf16, two cores).
    """
    heads = zip(query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), strict=True)
    seen = torch.stack([(one @ other.T).softmax(-1) @ said for one, other, said in heads])
    return seen.unflatten(0, query.shape[:2]).transpose(1, 2), None


AttentionInterface.register("head_by_head", _head_by_head)


def _compute_by(implementation: str, attention: nn.Module) -> None:
    attention.config = copy(attention.config)
    attention.config._attn_implementation = implementation  # noqa: SLF001 - the only switch for one module


class Trainee(nn.Module):
    """The network with what helps it in training alone: a CTC head on its encoder, and a look at its attention.

    The head names phonemes, so that the encoder hears before the decoder knows where to look (hybrid CTC/attention,
    Watanabe et al. 2017, doi:10.1109/JSTSP.2017.2763455). `attention` holds what `GUIDED_HEADS` looked at last, to be
    guided (Tachibana et al. 2018, arXiv:1710.08969): left alone, the decoder stays with what the grammar lets it guess.
    """

    def __init__(self, seed: int, phonemes: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.whisper = _new_whisper()
        self.ctc_head = nn.Linear(WIDTH, phonemes + 1)
        self.attention: dict[int, Tensor] = {}
        self.apply(_scale_by_inputs)
        _order_in_time(self.whisper)
        for number, layer in enumerate(self.whisper.model.decoder.layers):
            _compute_by("eager", layer.encoder_attn)
            layer.encoder_attn.register_forward_hook(partial(self._keep_attention, number))

    def hear_head_by_head(self) -> None:
        """Take the encoder's attention that is the faster on a processor in bf16, and the slower in float32."""
        for layer in self.whisper.model.encoder.layers:
            _compute_by("head_by_head", layer.self_attn)

    def forward(self, features: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores of each next token, scores of the CTC head, and where the guided heads look.

        Their shapes are (batch, tokens, vocabulary), (batch, frames / 2, phonemes + 1) and
        (batch, heads, tokens, frames / 2).
        """
        heard = hear(self.whisper, features)
        decoded = self.whisper.model.decoder(input_ids=tokens, encoder_hidden_states=heard, use_cache=False)
        looks = torch.stack([self.attention[layer][:, head] for layer, head in GUIDED_HEADS], dim=1)
        return self.whisper.proj_out(decoded.last_hidden_state), self.ctc_head(heard), looks

    def _keep_attention(self, layer: int, _module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> None:
        self.attention[layer] = output[1]


def _scale_by_inputs(module: nn.Module) -> None:
    """Draw weights by the number of their inputs: Whisper's 0.02 drowns the sound in the position embeddings."""
    if isinstance(module, nn.Conv1d):
        nn.init.kaiming_normal_(module.weight)
    elif isinstance(module, nn.Linear) and module.out_features != vocabulary.SIZE:
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
    elif isinstance(module, nn.Embedding) and module.weight.requires_grad:
        nn.init.normal_(module.weight, std=EMBEDDING_SCALE)


@torch.no_grad()
def _order_in_time(whisper: WhisperForConditionalGeneration) -> None:
    """Begin with what need not be learned: near times and places are alike, and sound belongs to what is near."""
    positions = whisper.model.encoder.embed_positions.weight
    wave = positions * (EMBEDDING_SCALE / positions.std())
    whisper.model.decoder.embed_tokens.weight[vocabulary.FIRST_TIME :][:POSITIONS] = wave
    whisper.model.decoder.embed_positions.weight.copy_(wave[: len(whisper.model.decoder.embed_positions.weight)])
    for layer in whisper.model.encoder.layers:
        nn.init.orthogonal_(layer.self_attn.q_proj.weight, gain=1.5)
        layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)


def _new_whisper() -> WhisperForConditionalGeneration:
    config = WhisperConfig(
        vocab_size=vocabulary.SIZE,
        num_mel_bins=80,
        d_model=WIDTH,
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


def hear(network: WhisperForConditionalGeneration, features: Tensor) -> Tensor:
    """Return the encoder's output (batch, frames / 2, 128) for log-mel features (batch, 80, frames).

    The Hugging Face encoder refuses fewer than 3,000 frames; here a shorter window takes the first positions alone.
    """
    encoder = network.model.encoder
    hidden = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(features)))).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    return encoder.layer_norm(hidden)
