"""From the trained network to the folder that faster-whisper loads."""

import json
import tempfile
from pathlib import Path

from ctranslate2.converters import TransformersConverter
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, WhisperForConditionalGeneration

from . import vocabulary
from .network import GUIDED_HEADS


def export_model(network: WhisperForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> None:
    """Write `network` to `folder` as CTranslate2 int8, with its tokenizer and feature settings."""
    network.generation_config.alignment_heads = GUIDED_HEADS
    network.generation_config.suppress_tokens = []
    # Whisper also forbids <|endoftext|> as the first token; here it must be free, so that silence gives no text.
    network.generation_config.begin_suppress_tokens = [tokenizer.token_to_id(vocabulary.BLANK_TOKEN)]
    with tempfile.TemporaryDirectory() as made:
        network.save_pretrained(made)
        PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(made)
        _PlainTokenizerConverter(made).convert(folder, quantization="int8", force=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    features = {"feature_size": 80, "hop_length": 160, "n_fft": 400, "chunk_length": 30, "sampling_rate": 16000}
    (folder / "preprocessor_config.json").write_text(json.dumps(features, indent=2) + "\n")


class _PlainTokenizerConverter(TransformersConverter):
    """Reads the tokenizer as it was written, where `AutoTokenizer` would expect Whisper's own files."""

    def load_tokenizer(self, _class: type, model_name_or_path: str, **_options: object) -> PreTrainedTokenizerFast:
        return PreTrainedTokenizerFast.from_pretrained(model_name_or_path)
