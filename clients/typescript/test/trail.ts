// A trail for the tests: made, filled, and served by the real daemon.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const binary = process.env["SEALTRAIL"] ?? "../../target/debug/sealtrail";

export interface Trail {
  url: string;
  token(name: string, ...flags: string[]): string;
  stop(): Promise<void>;
}

/** Starts the daemon on a trail with these records. */
export async function start(records: object[]): Promise<Trail> {
  const folder = mkdtempSync(join(tmpdir(), "sealtrail-client-"));
  const home = join(folder, "home");
  const run = (...words: string[]): string => {
    const done = spawnSync(binary, ["--home", home, "--quiet", ...words], { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`${words.join(" ")}: ${done.error ?? done.stderr}`);
    return done.stdout.trim();
  };
  run("init", "--no-input", "--no-hooks");
  const file = join(folder, "records.jsonl");
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  run("import", "events", file);
  const daemon = spawn(binary, ["--home", home, "daemon", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
  const url = await address(daemon);
  return {
    url,
    token: (name, ...flags) => run("token", "create", "--name", name, "--scope", "read", ...flags),
    stop: async () => {
      const ended = new Promise((resolve) => daemon.once("exit", resolve));
      daemon.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

async function address(daemon: ChildProcess): Promise<string> {
  if (daemon.stderr === null) throw new Error("the daemon has no standard error");
  let told = "";
  for await (const line of createInterface({ input: daemon.stderr })) {
    told += `${line}\n`;
    const found = /http:\/\/[0-9.]+:[0-9]+/.exec(line);
    if (found) {
      daemon.stderr.resume();
      return found[0];
    }
  }
  throw new Error(`the daemon ended: ${told}`);
}
