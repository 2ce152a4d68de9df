"""The Dagster UI as its own pages use it: GraphQL over HTTP."""

import json
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ingestion_pipeline_tests.support.installation import Installation

BACKFILL = """
mutation ($backfillParams: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfillParams) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
  }
}"""
BACKFILL_STATUS = """
query ($backfillId: String!) {
  partitionBackfillOrError(backfillId: $backfillId) {
    __typename
    ... on PartitionBackfill { status }
    ... on PythonError { message }
  }
}"""
REEXECUTE = """
mutation ($reexecutionParams: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $reexecutionParams) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on InvalidSubsetError { message }
  }
}"""
SENSOR = """
query ($sensor: SensorSelector!) {
  sensorOrError(sensorSelector: $sensor) { ... on Sensor { sensorState { id ticks(limit: 1) { status skipReason } } } }
}"""
START = "mutation ($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) { __typename } }"
STOP = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
RUN = """
query ($runId: ID!) {
  runOrError(runId: $runId) { __typename ... on Run { status repositoryOrigin { repositoryLocationName } } }
}"""
PARTITIONS = "query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { partitionKeys } } }"
OBSERVATIONS = """
query ($key: AssetKeyInput!, $partition: String!) {
  assetOrError(assetKey: $key) {
    ... on Asset {
      assetEventHistory(partitions: [$partition], limit: 10, eventTypeSelectors: [OBSERVATION]) {
        results {
          ... on ObservationEvent {
            description
            metadataEntries {
              label
              ... on TextMetadataEntry { text }
              ... on IntMetadataEntry { intRepr }
            }
          }
        }
      }
    }
  }
}"""
RUNS = "{ runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }"
LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries { loadStatus locationOrLoadError { __typename } } } } }"""


class DagsterUI:
    """A running webserver."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Return the data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.address}/graphql", body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def wait_until_loaded(self) -> None:
        """Wait for the code location."""
        self.wait_for(self._location, {"RepositoryLocation"})

    def backfill(self, assets: list[str], partitions: list[str]) -> str:
        """Materialize partitions of assets, wait, and return the backfill's last status."""
        params = {"assetSelection": [{"path": [asset]} for asset in assets], "partitionNames": partitions}
        launched = self.ask(BACKFILL, backfillParams=params)["launchPartitionBackfill"]
        backfill = launched["backfillId"]

        def status() -> str:
            return str(self.ask(BACKFILL_STATUS, backfillId=backfill)["partitionBackfillOrError"]["status"])

        ended = {"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"}
        return self.wait_for(status, ended)

    def execute_again(self, run: str, strategy: str = "ALL_STEPS") -> str:
        """Execute a run again as the buttons of its page do; return the last status of the new run."""
        params = {"parentRunId": run, "strategy": strategy}
        launched = self.ask(REEXECUTE, reexecutionParams=params)["launchRunReexecution"]
        new = launched["run"]["runId"]
        return self.wait_for(lambda: str(self.ask(RUN, runId=new)["runOrError"]["status"]), {"SUCCESS", "FAILURE"})

    def partitions(self, asset: str) -> list[str]:
        """Return the keys of an asset's partitions."""
        return list(self.ask(PARTITIONS, key={"path": [asset]})["assetNodeOrError"]["partitionKeys"])

    def stop(self, sensor: str) -> None:
        """Stop a sensor as the switch of its page does.

        Not before it has ticked: the daemon and the webserver would both write its first state, and one would fail.
        """
        self.wait_for(lambda: str(bool(self._sensor(sensor)["ticks"])), {"True"})
        assert self.ask(STOP, id=self._sensor(sensor)["id"])["stopSensor"]["__typename"] == "StopSensorMutationResult"

    def next_tick(self, sensor: str) -> str:
        """Start a sensor, wait until it has looked, and return why it has requested no run; empty where it has."""
        before = self._sensor(sensor)["ticks"]
        assert self.ask(START, sensor=_selector(sensor))["startSensor"]["__typename"] == "Sensor"
        self.wait_for(lambda: str(self._sensor(sensor)["ticks"] != before), {"True"})
        self.wait_for(lambda: str(self._sensor(sensor)["ticks"][0]["status"]), {"SKIPPED", "SUCCESS", "FAILURE"})
        return str(self._sensor(sensor)["ticks"][0]["skipReason"] or "")

    def _sensor(self, name: str) -> dict[str, Any]:
        found = self.ask(SENSOR, sensor=_selector(name))["sensorOrError"]
        return dict(found["sensorState"])

    def observations(self, asset: str, partition: str) -> list[str]:
        """Return what a partition's page says of it that is no materialization, newest first, as text."""
        asked = {"key": {"path": [asset]}, "partition": partition}
        found = self.ask(OBSERVATIONS, **asked)["assetOrError"]["assetEventHistory"]["results"]
        return [json.dumps(one) for one in found]

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, newest first."""
        return list(self.ask(RUNS)["runsOrError"]["results"])

    def runs_of(self, partition: str) -> list[dict[str, Any]]:
        """Return the runs of a partition, newest first."""
        tag = {"key": "dagster/partition", "value": partition}
        return [run for run in self.runs() if tag in run["tags"]]

    @staticmethod
    def wait_for(state: Callable[[], str], ends: set[str], patience_s: float = 600) -> str:
        """Ask until the state is one of the ends."""
        give_up = time.monotonic() + patience_s
        while (now := state()) not in ends:
            assert time.monotonic() < give_up, f"still {now} after {patience_s} s"
            time.sleep(0.3)
        return now

    def _location(self) -> str:
        entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        return (entries[0]["locationOrLoadError"] or {"__typename": ""})["__typename"] if entries else ""


def _selector(sensor: str) -> dict[str, str]:
    repository = {"repositoryName": "__repository__", "repositoryLocationName": "ingestion_pipeline"}
    return {**repository, "sensorName": sensor}


@contextmanager
def dev(
    installation: Installation, hangup: signal.Handlers = signal.SIG_DFL
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `ingest dev` on a free port; give its process and the address that it prints once it serves.

    It is ended with the block, and what it prints is read until then: the daemon waits where nobody does.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with installation.start("dev", "--port", str(port), hangup=hangup) as process:
        assert process.stdout is not None
        address = next(line.split()[2] for line in process.stdout if line.startswith("Dagster UI: "))
        reader = threading.Thread(target=deque, args=(process.stdout, 0))
        reader.start()
        try:
            yield process, address
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait()
            reader.join()
