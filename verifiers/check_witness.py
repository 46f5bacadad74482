"""A log and a witness on Go's own packages against Sealtrail's witness and its machines: C2SP tlog-witness from both ends."""
import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
LOG = "foreign.example/log"


class Serving:
    """A process that serves, and the address in its first line with one."""

    def __init__(self, command, stream):
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: subprocess.PIPE}
        self.process = subprocess.Popen([str(part) for part in command], text=True, **pipes)
        for line in iter(getattr(self.process, stream).readline, ""):
            if "http://" in line:
                self.url = "http://" + line.split("http://")[1].split()[0].split("/")[0]
                return
        raise SystemExit(f"{command[0]} ends without an address: exit code {self.process.wait()}")

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def build(folder):
    """Makes the Go program out of Debian's packages, without a network."""
    go = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", folder / "witness", "."], cwd=HERE / "go" / "witness", env={**os.environ, **go}, check=True)
    return folder / "witness"


def check(run, binaries, folder):
    """`run` starts a command and compares its exit code."""
    foreign, home = build(folder), folder / "collector"
    sealtrail = [binaries / "sealtrail", "--home", home]
    run([*sealtrail, "init", "--no-input", "--no-hooks"])
    (folder / "log.key").write_text(run([foreign, "key", LOG]).stdout)
    token = run([*sealtrail, "fleet", "add", "go", "--vkey", (folder / "log.key").read_text().split()[1]]).stdout.strip()
    witness = run([*sealtrail, "fleet", "init-witness"]).stdout.strip()
    with Serving([*sealtrail, "serve", "--listen", "127.0.0.1:0"], "stderr") as url:
        print("Sealtrail's witness:", run([foreign, "drive", url, folder / "log.key", witness, token]).stdout.strip())
        for kind in ("rollback", "fork"):
            told = json.loads(run([*sealtrail, "search", "--event-type", f"fleet.{kind}_detected", "-o", "json"]).stdout)
            if [event["fleet"]["origin"] for event in told] != [LOG]:
                raise SystemExit(f"the trail tells {told} of the {kind}")
