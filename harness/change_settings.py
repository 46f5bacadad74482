"""Takes one permission away in the client's settings and gives another, as a person would in an editor."""
import json
import os
import pathlib

path = pathlib.Path(os.environ["CLAUDE_CONFIG_DIR"]) / "settings.json"
settings = json.loads(path.read_text())
allow = settings["permissions"]["allow"]
allow.remove("Edit(src/**)")
allow.append("Edit(other/**)")
path.write_text(json.dumps(settings, indent=2))
