"""The twelve benchmark queries on other engines, over the same JSON lines.

usage: find.py RECORDS.jsonl PLAN.json FOLDER ENGINE...

PLAN.json gives the values that the queries look for. Each engine loads the records once into FOLDER and then runs each query several times in this process; rg, jq and
zstd run as commands. Prints one JSON line per engine and query: {"engine", "query", "cpu_ms", "wall_ms", "answer"}, where cpu_ms and wall_ms are medians and cpu_ms counts
every thread. `answer` is what is compared: the audit ids in order, or rows of numbers. A line {"engine", "load_s", "bytes"} tells the cost of loading.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

COLUMNS = ["audit_id", "ts", "event_type", "domain", "user_id", "source_ip", "session_id", "level", "size_bytes", "status", "duration_ms", "step_name"]


def cpu_seconds():
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure(work):
    """Runs `work` seven times, or three when it is slow; returns medians of CPU and wall time in ms and the last answer."""
    cpu, wall, rounds = [], [], 7
    answer = work()
    while len(wall) < rounds:
        before, start = cpu_seconds(), time.perf_counter()
        answer = work()
        wall.append((time.perf_counter() - start) * 1000)
        cpu.append((cpu_seconds() - before) * 1000)
        if wall[-1] > 2000:
            rounds = 3
    return statistics.median(cpu), statistics.median(wall), answer


def queries(plan, like):
    """The queries in SQL; `like` is the engine's case-insensitive substring operator. Rows come whole (`raw`), newest first."""
    rows = "SELECT raw FROM events WHERE {} ORDER BY seq DESC LIMIT 100"
    hour, day = 3600_000, 86_400_000
    return {
        "Q1": "SELECT raw FROM events WHERE audit_id = '%s'" % plan["audit_id"],
        "Q2": rows.format("user_id = '%s' AND ts >= %d" % (plan["user"], plan["end_ms"] - day)),
        "Q3": rows.format("event_type = 'data.file_read' AND level = 'pii' AND ts >= %d" % (plan["end_ms"] - 14 * day)),
        "Q4": rows.format("source_ip LIKE '%s%%'" % plan["network"]),
        "Q5a": rows.format("raw %s '%%%s%%'" % (like, plan["token"])),
        "Q5b": rows.format("raw %s '%%%s%%'" % (like, plan["substring"])),
        "Q6": rows.format("size_bytes > %d" % plan["large_bytes"]),
        "Q7": "SELECT user_id, count(*) AS n FROM events WHERE ts >= %d GROUP BY user_id ORDER BY n DESC, user_id LIMIT 10" % (plan["end_ms"] - 30 * day),
        "Q8": "SELECT ts // %d * %d AS hour, domain, count(*) FROM events GROUP BY 1, 2 ORDER BY 1, 2" % (hour, hour),
        "Q9": None,
        "Q10": """SELECT count(*) FROM (SELECT status, ts, lead(status) OVER w AS next_status, lead(ts) OVER w AS next_ts FROM events
                  WHERE event_type = 'auth.user_login' WINDOW w AS (PARTITION BY user_id ORDER BY seq))
                  WHERE status = 'fail' AND next_status = 'success' AND next_ts - ts <= 300000""",
        "Q11": "SELECT raw FROM events WHERE session_id = '%s' ORDER BY seq" % plan["session"],
        "Q12": "SELECT count(*) FROM events WHERE status = 'fail' AND duration_ms > 1000",
    }


def ids(rows):
    return [json.loads(row[0])["audit_id"] for row in rows]


def report(engine, name, fetch):
    cpu, wall, rows = measure(fetch)
    raw = name in ("Q1", "Q2", "Q3", "Q4", "Q5a", "Q5b", "Q6", "Q11")
    answer = ids(rows) if raw else [list(row) for row in rows]
    print(json.dumps({"engine": engine, "query": name, "cpu_ms": cpu, "wall_ms": wall, "answer": answer}), flush=True)


def size_of(path):
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


def loaded(engine, path, start):
    print(json.dumps({"engine": engine, "load_s": time.perf_counter() - start, "bytes": size_of(path)}), flush=True)


def record_columns(record, seq, raw):
    ts = plan_ms(record["timestamp"])
    resource_ = record.get("resource", {})
    return (seq, record["audit_id"], ts, record["event_type"], record["_domain"], record["user_id"], record["source_ip"], record["session_id"],
            resource_.get("sensitivity_level"), resource_.get("size_bytes"), record.get("status"), record.get("duration_ms"), record.get("step_name"), raw)


def plan_ms(text):
    from datetime import datetime
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000 + 0.5)


def duckdb_columns(source):
    return f"""SELECT row_number() OVER () AS seq, j->>'audit_id' AS audit_id, epoch_ms((j->>'timestamp')::TIMESTAMP) AS ts, j->>'event_type' AS event_type,
        CASE split_part(j->>'event_type', '.', 1) WHEN 'auth' THEN 'auth' WHEN 'agent' THEN 'agent' WHEN 'session' THEN 'agent' WHEN 'skill' THEN 'agent'
             WHEN 'data' THEN 'data' WHEN 'infra' THEN 'data' WHEN 'mcp' THEN 'data' WHEN 'workflow' THEN 'workflow' WHEN 'tool' THEN 'workflow'
             WHEN 'task' THEN 'workflow' WHEN 'model' THEN 'workflow' WHEN 'prompt' THEN 'workflow' ELSE 'system' END AS domain,
        j->>'user_id' AS user_id, j->>'source_ip' AS source_ip, j->>'session_id' AS session_id, j->>'$.resource.sensitivity_level' AS level,
        (j->>'$.resource.size_bytes')::BIGINT AS size_bytes, j->>'status' AS status, (j->>'duration_ms')::BIGINT AS duration_ms, j->>'step_name' AS step_name, j AS raw
        FROM (SELECT json::VARCHAR AS j FROM read_ndjson_objects('{source}'))"""


def duckdb_engines(records, plan, folder, wanted):
    import duckdb
    sql = queries(plan, "ILIKE")
    sql["Q9"] = """SELECT ts // 86400000 * 86400000, step_name, quantile_cont(duration_ms, 0.95) FROM events WHERE step_name IS NOT NULL AND duration_ms IS NOT NULL
                   GROUP BY 1, 2 ORDER BY 1, 2"""
    base, parquet = folder / "events.duckdb", folder / "events.parquet"
    for engine in wanted:
        start = time.perf_counter()
        connection = duckdb.connect(str(base))
        connection.execute("PRAGMA threads=2")
        connection.execute("PRAGMA memory_limit='6GB'")
        if not connection.execute("SELECT 1 FROM information_schema.tables WHERE table_name = 'stored'").fetchall():
            connection.execute(f"CREATE TABLE stored AS {duckdb_columns(records)}")
            connection.execute("CHECKPOINT")
        if engine == "duckdb-parquet":
            if not parquet.exists():
                connection.execute(f"COPY stored TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
            connection.execute(f"CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM read_parquet('{parquet}')")
        else:
            connection.execute("CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM stored")
        loaded(engine, parquet if engine == "duckdb-parquet" else base, start)
        for name, text in sql.items():
            report(engine, name, lambda: connection.execute(text).fetchall())
        connection.close()


def sqlite_engine(records, plan, folder):
    import sqlite3
    path, start = folder / "events.sqlite", time.perf_counter()
    fresh = not path.exists()
    connection = sqlite3.connect(path)
    if fresh:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE events(seq INTEGER PRIMARY KEY, %s, raw);" % ", ".join(COLUMNS)
                                 + "CREATE VIRTUAL TABLE text USING fts5(body, content='', tokenize=\"unicode61 tokenchars '-_'\");")
        with open(records, encoding="utf-8") as lines:
            batch = []
            for seq, line in enumerate(lines, 1):
                record = json.loads(line)
                record["_domain"] = plan["domains"].get(record["event_type"].split(".")[0], "system")
                batch.append(record_columns(record, seq, line))
                if len(batch) == 50_000:
                    store(connection, batch)
                    batch = []
            store(connection, batch)
        for columns in ("audit_id", "user_id, ts", "event_type, level, ts", "source_ip", "size_bytes", "session_id", "status, duration_ms", "ts, user_id"):
            connection.execute(f"CREATE INDEX i_{columns.replace(', ', '_')} ON events({columns})")
        connection.commit()
    loaded("sqlite", path, start)
    connection.execute("PRAGMA case_sensitive_like=OFF")
    sql = queries(plan, "LIKE")
    sql["Q4"] = sql["Q4"].replace("LIKE '%s%%'" % plan["network"], ">= '%s' AND source_ip < '%s'" % (plan["network"], plan["network"][:-1] + "/"))
    sql["Q5a"] = "SELECT raw FROM events WHERE seq IN (SELECT rowid FROM text WHERE text MATCH '\"%s\" *') ORDER BY seq DESC LIMIT 100" % plan["token"]
    sql["Q8"] = sql["Q8"].replace("//", "/")
    # Between the two numbers around 95 % of the way, by its share; `k` counts from 0.
    sql["Q9"] = """SELECT day, step_name, sum(duration_ms * CASE WHEN k = n * 95 / 100 THEN 1 - (n * 95 % 100) / 100.0 ELSE (n * 95 % 100) / 100.0 END) FROM
                   (SELECT ts / 86400000 * 86400000 AS day, step_name, duration_ms,
                   row_number() OVER (PARTITION BY ts / 86400000, step_name ORDER BY duration_ms) - 1 AS k,
                   count(*) OVER (PARTITION BY ts / 86400000, step_name) - 1 AS n
                   FROM events WHERE step_name IS NOT NULL AND duration_ms IS NOT NULL)
                   WHERE k IN (n * 95 / 100, n * 95 / 100 + 1) GROUP BY 1, 2 ORDER BY 1, 2"""
    for name, text in sql.items():
        report("sqlite", name, lambda: connection.execute(text).fetchall())


def store(connection, batch):
    connection.executemany("INSERT INTO events VALUES (%s)" % ",".join("?" * 14), batch)
    connection.executemany("INSERT INTO text(rowid, body) VALUES (?, ?)", ((row[0], row[-1]) for row in batch))


def command_engine(engine, plan, commands):
    for name, command in commands.items():
        def fetch():
            done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, check=False)
            return [(line,) for line in done.stdout.decode().splitlines()]
        if name == "Q12":
            cpu, wall, rows = measure(fetch)
            print(json.dumps({"engine": engine, "query": name, "cpu_ms": cpu, "wall_ms": wall, "answer": [[int(rows[0][0])]]}), flush=True)
        else:
            report(engine, name, fetch)


def text_commands(plan, source, rg):
    newest = "| tail -n 100 | tac"
    fixed = {"Q1": plan["audit_id"], "Q11": '"session_id":"%s"' % plan["session"]}
    commands = {name: f"{rg} -F '{text}' {source}" for name, text in fixed.items()}
    commands["Q4"] = f"{rg} -F '\"source_ip\":\"{plan['network']}' {source} {newest}"
    commands["Q5a"] = f"{rg} -iF '{plan['token']}' {source} {newest}"
    commands["Q5b"] = f"{rg} -iF '{plan['substring']}' {source} {newest}"
    return commands


def main():
    records, plan, folder, wanted = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3]), sys.argv[4:]
    folder.mkdir(parents=True, exist_ok=True)
    ducks = [engine for engine in wanted if engine.startswith("duckdb")]
    if ducks:
        duckdb_engines(records, plan, folder, ducks)
    if "sqlite" in wanted:
        sqlite_engine(records, plan, folder)
    if "rg" in wanted:
        command_engine("rg", plan, text_commands(plan, records, "rg --no-line-number --no-filename"))
    if "jq" in wanted:
        command_engine("jq", plan, {
            "Q6": f"jq -c 'select(.resource.size_bytes? > {plan['large_bytes']})' {records} | tail -n 100 | tac",
            "Q12": f"jq -c 'select(.status == \"fail\" and .duration_ms > 1000) | 1' {records} | wc -l",
        })
    if "zstd" in wanted:
        packed, start = folder / "events.zst", time.perf_counter()
        if not packed.exists():
            subprocess.run(["zstd", "-q", "-3", "-T2", records, "-o", str(packed)], check=True)
        loaded("zstd", packed, start)
        commands = text_commands(plan, "", "rg --no-line-number --no-filename")
        command_engine("zstd", plan, {name: f"zstdcat {packed} | {command}" for name, command in commands.items()})


main()
