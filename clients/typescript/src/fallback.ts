import { closeSync, existsSync, fsyncSync, ftruncateSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

/** 1 MiB: what at most is sent a second time when a process dies between delivering and forgetting. */
const SEGMENT_BYTES = 1 << 20;

/** 256 MiB: days of a busy application. Beyond it nothing is taken, and the caller is told. */
export const FALLBACK_BYTES_MAX = 256 << 20;

export type Record_ = Record<string, unknown>;

/** There is no room for a record that could not be delivered: it was not recorded. */
export class FallbackFull extends Error {
  override readonly name = "FallbackFull";
}

/**
 * Records that cannot be delivered now, as JSON lines in a folder, in order. A record is on the disk when `append` returns. Each process has files of
 * its own; those of a process that is gone are taken over. What is delivered and not deleted yet is delivered again, so the receiver must know records by
 * their ids.
 */
export class Fallback {
  readonly folder: string;
  readonly #bytesMax: number;
  #last = 0n;
  #delivered = { name: "", lines: 0 };

  constructor(folder: string, bytesMax = FALLBACK_BYTES_MAX) {
    this.folder = folder;
    this.#bytesMax = bytesMax;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of this.#names()) {
      if (!isOurs(name) && !lives(name)) {
        // Of two that take over the same file, one finds it gone.
        ignoring("ENOENT", () => renameSync(join(folder, name), join(folder, name.replace(/-\d+\.jsonl$/, `-${process.pid}.jsonl`))));
      }
    }
  }

  /** Whether nothing of this process waits. */
  get isEmpty(): boolean {
    return this.#own().length === 0;
  }

  append(records: readonly Record_[]): void {
    const lines = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    const bytes = this.#names().reduce((sum, name) => sum + sizeOf(join(this.folder, name)), 0);
    if (bytes + lines.length > this.#bytesMax) {
      throw new FallbackFull(`${this.folder} would exceed its limit of ${this.#bytesMax} bytes: ${records.length} records were not taken`);
    }
    const newest = this.#own().at(-1);
    const path = join(this.folder, newest && sizeOf(join(this.folder, newest)) < SEGMENT_BYTES ? newest : this.#newName());
    append(path, lines);
  }

  /** Returns the oldest records that were not delivered. */
  first(count: number): Record_[] {
    for (const name of this.#own()) {
      const lines = readFileSync(join(this.folder, name), "utf8").split("\n").filter((line) => line !== "");
      const skip = this.#delivered.name === name ? this.#delivered.lines : 0;
      const records: Record_[] = [];
      let read = skip;
      for (const line of lines.slice(skip)) {
        if (records.length === count) break;
        read += 1;
        const record = parsed(line);
        if (record === undefined) this.refuse(line, "a crash cut this line off");
        else records.push(record);
      }
      this.#delivered = { name, lines: read };
      if (records.length > 0) {
        this.#before = { name, lines: skip };
        return records;
      }
      this.#drop(name);
    }
    return [];
  }

  #before = { name: "", lines: 0 };

  /** Forgets the records that `first` returned. */
  forgetFirst(): void {
    const { name, lines } = this.#delivered;
    const all = readFileSync(join(this.folder, name), "utf8").split("\n").filter((line) => line !== "").length;
    if (lines >= all) this.#drop(name);
  }

  /** Keeps the records that `first` returned. */
  keepFirst(): void {
    this.#delivered = this.#before;
  }

  /** Keeps a record that nobody takes, with the reason. */
  refuse(record: unknown, why: string): void {
    append(join(this.folder, "refused.jsonl"), Buffer.from(`${JSON.stringify({ why, record })}\n`));
  }

  #drop(name: string): void {
    ignoring("ENOENT", () => unlinkSync(join(this.folder, name)));
    syncFolder(this.folder);
    this.#delivered = { name: "", lines: 0 };
  }

  #names(): string[] {
    return readdirSync(this.folder).filter((name) => /^pending-\d{20}-\d+\.jsonl$/.test(name)).sort();
  }

  #own(): string[] {
    return this.#names().filter(isOurs);
  }

  #newName(): string {
    // Never a name that was there before: what is new in it would count as delivered.
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    return `pending-${this.#last.toString().padStart(20, "0")}-${process.pid}.jsonl`;
  }
}

function isOurs(name: string): boolean {
  return name.endsWith(`-${process.pid}.jsonl`);
}

function lives(name: string): boolean {
  const pid = Number(/-(\d+)\.jsonl$/.exec(name)?.[1]);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function append(path: string, lines: Buffer): void {
  const isNew = !existsSync(path);
  const file = openSync(path, "a+", 0o600);
  try {
    const size = fstatSync(file).size;
    // A line that a crash cut off is closed first, so that it spoils no other.
    const whole = size > 0 && !lastByte(file, size).equals(Buffer.from("\n")) ? Buffer.concat([Buffer.from("\n"), lines]) : lines;
    try {
      for (let at = 0; at < whole.length; ) at += writeSync(file, whole, at);
      fsyncSync(file);
    } catch (error) {
      // The caller is told that it was not taken, so half a record must not be found later.
      ftruncateSync(file, size);
      throw error;
    }
  } finally {
    closeSync(file);
  }
  if (isNew) syncFolder(join(path, ".."));
}

function lastByte(file: number, size: number): Buffer {
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, size - 1);
  return byte;
}

function syncFolder(folder: string): void {
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function parsed(line: string): Record_ | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record_) : undefined;
  } catch {
    return undefined;
  }
}

function ignoring(code: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
  }
}
