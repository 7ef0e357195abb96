#!/usr/bin/env python3
"""Looks at `keyhole serve` over loopback, on the contract's data set.

    tests/full/serving.py wrk [ROUNDS [SECONDS]]       requests a second of the OFFSET strategy and the keyset
                                                       strategy on both streams, interleaved, by wrk (Debian: wrk)
    tests/full/serving.py schemathesis [EXAMPLES]      has schemathesis (PyPI, in a virtual environment below
                                                       target/) try everything that /openapi.json describes
"""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYHOLE = ROOT / "target/release/keyhole"


@contextlib.contextmanager
def place():
    """A folder with the data set."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([KEYHOLE, "seed", "--data", folder / "data"], stdout=subprocess.DEVNULL, check=True)
        yield folder


@contextlib.contextmanager
def server(place, *options):
    """The address of a server that has a filled scratch."""
    folders = [part for name in ("data", "state", "cache") for part in (f"--{name}", place / name)]
    command = [KEYHOLE, "--json", *folders, "serve", "--listen", "127.0.0.1:0", *options]
    with (place / "log").open("w") as log:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    try:
        address = None
        while True:
            # It listens while its scratch is filled.
            said = (place / "log").read_text()
            if child.poll() is not None:
                sys.exit(said)
            for line in said.splitlines():
                event = json.loads(line) if line.endswith("}") else {}
                address = event.get("address", address) if '"listening"' in line else address
            if address and '"serving"' in said:
                break
            time.sleep(0.1)
        yield address
    finally:
        child.terminate()
        child.wait()


def wrk(rounds="5", seconds="10"):
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    with place() as folder:
        lines = (ROOT / "tests/data/pages.jsonl").read_text().splitlines(keepends=True)
        for stream in ("contract", "dense"):
            (folder / stream).write_text("".join(line for line in lines if f'"mix": "{stream}"' in line))
        for turn in range(int(rounds)):
            for strategy in ("baseline", "keyset"):
                shutil.rmtree(folder / "state", ignore_errors=True)
                policy = folder / f"{strategy}.toml"
                policy.write_text(f'version = 1\n[serve]\nactive = "{strategy}"\nreference_share = 0.0\n')
                with server(folder, "--rate", "0", "--policy", policy) as address:
                    for stream in ("contract", "dense"):
                        command = ["wrk", "--threads", "1", "--connections", "4", "--duration", f"{seconds}s"]
                        command += ["--script", ROOT / "tests/full/wrk.lua", f"http://{address}", "--", folder / stream]
                        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                        [figures] = [line for line in said.splitlines() if "requests/s" in line]
                        print(f"{turn + 1} {stream:<8} {strategy:<8} {figures}", flush=True)


def schemathesis(examples="200"):
    tool = ROOT / "target/schemathesis/bin/schemathesis"
    if not tool.exists():
        subprocess.run([sys.executable, "-m", "venv", tool.parents[1]], check=True)
        subprocess.run([tool.parent / "pip", "--quiet", "install", "schemathesis"], check=True)
    # What it remembers of a run stays in the folder that goes.
    with place() as folder, server(folder, "--rate", "0") as address:
        url = f"http://{address}"
        run = [tool, "run", "--max-examples", examples]
        # Nothing can say in OpenAPI that `page` and `after` exclude each other, nor what a cursor of this log looks
        # like: with `after` in play, a request that fits the description may be refused.
        whole = [*run, f"{url}/openapi.json", "--exclude-checks", "positive_data_acceptance"]
        subprocess.run(whole, cwd=folder, check=True)
        # Without it, none may.
        with urllib.request.urlopen(f"{url}/openapi.json") as answer:
            document = json.load(answer)
        events = document["paths"]["/v1/events"]["get"]
        events["parameters"] = [one for one in events["parameters"] if one["name"] != "after"]
        (folder / "openapi.json").write_text(json.dumps(document))
        subprocess.run([*run, folder / "openapi.json", "--url", url], cwd=folder, check=True)


if __name__ == "__main__":
    verbs = {"wrk": wrk, "schemathesis": schemathesis}
    if len(sys.argv) < 2 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    verbs[sys.argv[1]](*sys.argv[2:])
