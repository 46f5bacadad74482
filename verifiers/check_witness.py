"""A log and a witness on Go's own packages against Sealtrail's witness and its machines: C2SP tlog-witness from both ends."""
import json
import os
import pathlib
import shutil
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
    foreign = build(folder)
    our_witness(run, foreign, binaries, folder)
    our_log(run, foreign, binaries, folder)


def our_witness(run, foreign, binaries, folder):
    sealtrail = [binaries / "sealtrail", "--home", folder / "collector"]
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


def our_log(run, foreign, binaries, folder):
    """A machine has its checkpoints cosigned by the foreign witness: the first, one that grew, and none of a ledger that was put back."""
    home = folder / "machine"
    sealtrail = [binaries / "sealtrail", "--home", home]
    run([*sealtrail, "init", "--no-input", "--no-hooks"])
    log, cosigner = (home / "ledger" / "log.vkey").read_text().strip(), run([foreign, "cosigner", "witness.example/w1"]).stdout
    (folder / "witness.key").write_text(cosigner)
    (folder / "token").write_text("stk_none")
    with Serving([foreign, "serve", folder / "witness.key", log], "stdout") as url:
        fleet = {"collector": url, "token_file": str(folder / "token"), "witness": cosigner.split()[1]}
        (home / "audit.yaml").write_text(json.dumps({"audit": {"fleet": fleet}}))
        sizes = []
        for name in ("first", "second"):
            run([*sealtrail, "token", "create", "--name", name, "--scope", "read"])
            done = json.loads(run([*sealtrail, "forward", "--once", "-o", "json"]).stdout)
            sizes.append(done["cosigned"])
            print("Sealtrail's log:", run([foreign, "check", home / "witness" / "checkpoint", log, fleet["witness"]]).stdout.strip())
            if name == "first":
                shutil.copytree(home, folder / "older")
        if not done["seen"] or not sizes[0] < sizes[1]:
            raise SystemExit(f"cosigned sizes {sizes}, the last one {done}")
        refused = run([binaries / "sealtrail", "--home", folder / "older", "forward", "--once"], expect=3).stderr
        if "went back" not in refused:
            raise SystemExit(f"a ledger that was put back is told as: {refused}")
