// A hook recorder as people write it: parse, stamp, append, sync.
const fs = require("node:fs");
const event = JSON.parse(fs.readFileSync(0, "utf8"));
const out = fs.openSync(process.argv[2], "a");
fs.writeSync(out, JSON.stringify({ at: Date.now() / 1000, event }) + "\n");
fs.fdatasyncSync(out);
