"""Whisper models of true size with random weights: they cost what the real ones cost, and need no download."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import BUILT, tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import WhisperForConditionalGeneration


@dataclass(frozen=True)
class Shape:
    """Sizes from the `config.json` of openai/whisper-base, -small and distil-whisper/distil-large-v3."""

    width: int
    encoder_layers: int
    decoder_layers: int
    heads: int
    mels: int
    languages: int

    @property
    def vocabulary(self) -> int:
        """Number of tokens: text, two and six special ones, languages, times."""
        return tokens.PIECES + 8 + self.languages + tokens.TIMES


SHAPES = {
    "base": Shape(512, 6, 6, 8, 80, 99),
    "small": Shape(768, 12, 12, 12, 80, 99),
    "distil-large-v3": Shape(1280, 32, 2, 20, 128, 100),
}


def random_model(name: str, weights: str) -> Path:
    """Return the folder of a shape with `weights` int8 or float16; the first call makes it, in seconds to minutes."""
    folder = BUILT / "models" / f"{name}-{weights}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            _write(SHAPES[name], weights, Path(made) / "model")
            shutil.move(Path(made) / "model", folder)
    return folder


def _write(shape: Shape, weights: str, folder: Path) -> None:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    tokenizer = tokens.made_up_tokenizer(list(LANGUAGES)[: shape.languages])
    _convert(_network(shape, tokenizer), tokenizer, weights, folder)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    features = {
        "feature_size": shape.mels, "hop_length": 160, "n_fft": 400, "chunk_length": 30, "sampling_rate": 16000,
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(features, indent=2) + "\n")


def _network(shape: Shape, tokenizer: "Tokenizer") -> "WhisperForConditionalGeneration":
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(0)
    network = WhisperForConditionalGeneration(WhisperConfig(**_sizes(shape), dtype="float32")).eval()
    _keep_to_text(network)
    network.generation_config.suppress_tokens = []
    network.generation_config.begin_suppress_tokens = [tokenizer.token_to_id(tokens.BLANK), tokens.END]
    return network


def _sizes(shape: Shape) -> dict[str, Any]:
    both = {"attention_heads": shape.heads, "ffn_dim": 4 * shape.width}
    return {
        "vocab_size": shape.vocabulary,
        "num_mel_bins": shape.mels,
        "d_model": shape.width,
        "encoder_layers": shape.encoder_layers,
        "decoder_layers": shape.decoder_layers,
        **{f"{half}_{size}": value for half in ("encoder", "decoder") for size, value in both.items()},
        "pad_token_id": tokens.END,
        "bos_token_id": tokens.END,
        "eos_token_id": tokens.END,
        "decoder_start_token_id": tokens.END + 1,
    }


def _keep_to_text(network: "WhisperForConditionalGeneration") -> None:
    """Make every special token and time token improbable: a random one would cut a window short.

    What the last layer norm returns has the mean 0; with a bias of 1 it has the mean 1, and rows of -0.05 then give
    -0.05 x width, where those of text give about 0.
    """
    import torch

    with torch.no_grad():
        network.model.decoder.layer_norm.bias.fill_(1.0)
        network.proj_out.weight[tokens.END :].fill_(-0.05)


def _convert(network: "WhisperForConditionalGeneration", tokenizer: "Tokenizer", weights: str, folder: Path) -> None:
    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast

    class FromMemory(TransformersConverter):
        def load_model(self, *_names: object, **_options: object) -> "WhisperForConditionalGeneration":
            return network

        def load_tokenizer(self, *_names: object, **_options: object) -> PreTrainedTokenizerFast:
            return PreTrainedTokenizerFast(tokenizer_object=tokenizer)

    with tempfile.TemporaryDirectory() as config:
        network.config.save_pretrained(config)
        FromMemory(config).convert(folder, quantization=weights)
