"""Loading a model: what serves where a compute type does not, what is warned of, and what is said where none loads."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ctranslate2
import joblib
import numpy as np
import pytest
from faster_whisper import BatchedInferencePipeline
from faster_whisper.tokenizer import Tokenizer
from psutil import _psutil_linux

from ingestion_pipeline.demo import MODEL
from ingestion_pipeline.embedding.embedder import MINILM, InProcessEmbedder
from ingestion_pipeline.errors import ModelFault
from ingestion_pipeline.gpu import gpu_failed, out_of_memory
from ingestion_pipeline.speech.decoder import mel_of
from ingestion_pipeline.speech.decoding import Decoding, options_of
from ingestion_pipeline.speech.loading import load_model
from ingestion_pipeline.speech.models import fault_of, identity_of

without_gpu = pytest.mark.skipif(ctranslate2.get_cuda_device_count() > 0, reason="there is a GPU")


def test_where_a_compute_type_does_not_work_the_next_best_serves_and_one_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert load_model("demo-en", "cpu", "float16", 1).model.compute_type.startswith("int8")
    [warning] = caplog.messages
    assert warning.startswith("Compute type float16 does not work here (Requested float16")
    assert warning.endswith("; int8 serves.")


def test_a_compute_type_that_works_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    assert load_model("demo-en", "cpu", "float32", 1).model.compute_type == "float32"
    assert caplog.messages == []


def test_more_workers_than_cores_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    cores = joblib.cpu_count()
    assert load_model("demo-en", "cpu", "int8", cores + 1).model.num_workers == cores + 1
    assert caplog.messages == [f"{cores + 1} decode workers on {cores} cores: more than one a core brings nothing."]


@without_gpu
def test_several_models_on_one_gpu_are_warned_of_with_the_reason_and_without_a_gpu_none_loads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ModelFault, match=r"cannot run on cuda: .*Install NVIDIA's driver .*or set WHISPER_DEVICE=cpu"):
        load_model("demo-en", "cuda", "float16", 2)
    assert caplog.messages == [
        "2 models on one GPU take turns on it: batches fill it better. Set WHISPER_PARALLEL_MODELS=1."
    ]


def test_a_missing_cuda_library_is_named_with_its_package() -> None:
    said = "Library libcublas.so.12 is not found or cannot be loaded"
    fault = fault_of("small", "cuda", RuntimeError(said))
    assert str(fault).startswith(
        f"Whisper model small cannot run on cuda: {said}. Run `pip install nvidia-cublas-cu12`"
    )


@without_gpu
def test_cuda_is_complete_with_the_package_that_is_named(tmp_path: Path) -> None:
    """Any library will do for cuBLAS, and a folder on the path for the package, which has 580 MB."""
    libraries, about = tmp_path / "nvidia/cublas/lib", tmp_path / "nvidia_cublas_cu12-12.9.dist-info"
    libraries.mkdir(parents=True)
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nvidia-cublas-cu12\nVersion: 12.9\n")
    check = [sys.executable, "-c", "from ingestion_pipeline.speech.models import check_cuda; check_cuda()"]
    found = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    broken = subprocess.run(check, env=found, capture_output=True, text=True, check=False)
    assert re.search(r"ModelFault: CUDA is not complete: .*libcublasLt.so.12.*", broken.stderr)
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        (libraries / name).symlink_to(_psutil_linux.__file__)
    subprocess.run(check, env=found, check=True)


@pytest.mark.parametrize(
    ("said", "memory", "lost"),
    [
        ("CUDA failed with error out of memory", True, False),
        ("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED", True, False),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True, False),
        ("CUDA failed with error an illegal memory access was encountered", False, True),
        ("cuBLAS failed with status CUBLAS_STATUS_EXECUTION_FAILED", False, True),
        ("CUDA error: unspecified launch failure", False, True),
        ("parallel_for failed: cudaErrorInvalidDevice: invalid device ordinal", False, False),
        ("cuBLAS failed with status CUBLAS_STATUS_NOT_SUPPORTED", False, False),
        ("CUDA failed with error CUDA driver version is insufficient for CUDA runtime version", False, False),
        ("Library libcublas.so.12 is not found or cannot be loaded", False, False),
    ],
)
def test_a_gpu_that_is_full_is_told_from_one_that_has_failed(said: str, *, memory: bool, lost: bool) -> None:
    error = RuntimeError(said)
    assert (out_of_memory(error), gpu_failed(error)) == (memory, lost)


@without_gpu
def test_an_embedding_model_on_a_gpu_that_this_pytorch_cannot_use_says_what_to_do() -> None:
    with pytest.raises(ModelFault, match=r"all-MiniLM-L6-v2 cannot run on cuda: .*set WHISPER_DEVICE=cpu"):
        InProcessEmbedder(MINILM, "cuda").query("honey")


def test_a_chunk_may_fill_all_of_whispers_places() -> None:
    """A text of 30 s may have more tokens than the half of them that CTranslate2 allows by itself."""
    model = load_model("demo-en", "cpu", "int8", 1)
    tokenizer = Tokenizer(model.hf_tokenizer, False, "transcribe", "en")
    endless = options_of(Decoding("en", beam=1, suppressed=(tokenizer.eot,)), tokenizer, (0.0,))
    mel = mel_of(model, np.zeros(16_000, np.float32))
    _, [heard] = BatchedInferencePipeline(model).generate_segment_batched(mel[None], tokenizer, endless)
    assert len(heard["tokens"]) == 440


def test_other_weights_in_the_same_folder_are_another_model(tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    before = identity_of(str(tmp_path / "model"))
    assert before == identity_of("demo-en")
    weights = tmp_path / "model/model.bin"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert identity_of(str(tmp_path / "model")) != before
    assert identity_of("distil-large-v3") == "distil-large-v3"
