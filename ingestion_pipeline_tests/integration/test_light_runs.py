"""A run holds no model: the libraries for models are imported in the model server alone."""

import subprocess
import sys
from pathlib import Path

from ingestion_pipeline.demo.podcast import podcast
from ingestion_pipeline_tests.support.installation import Installation

HEAVY = "torch", "transformers", "sentence_transformers", "faster_whisper", "ctranslate2", "onnxruntime", "starlette"
RUN = f"""
import sys
from ingestion_pipeline.cli import ingest
try:
    ingest.main(["run"], standalone_mode=False)
except SystemExit as end:
    print(end.code)
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_a_run_imports_no_library_for_models(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with podcast() as feed:
        installation.set(WHISPER_MODEL="demo-en", WHISPER_DEVICE="cpu", ALLOW_PRIVATE_ADDRESSES="true")
        installation.list_sources(f"name: demo, feed: '{feed}', newest: 1")
        command = [sys.executable, "-c", RUN]
        environment = installation.environment
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"], done.stdout + done.stderr


def test_what_dagster_loads_imports_no_library_for_models() -> None:
    check = f"import sys, ingestion_pipeline.definitions; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
