"""Text without secrets that looks like it: hashes, ids, lock files, pictures, source, documentation, the client's own hooks."""
import base64
import json
import uuid
import zlib


def write(out, repo, rng):
    """Writes one file a sort into `out`."""
    out.mkdir(parents=True)
    made = {
        "git-log.txt": git_log(rng), "uuids.txt": uuids(rng), "hashes.txt": hashes(rng), "package-lock.json": package_lock(rng),
        "go.sum.txt": go_sum(rng), "pictures.txt": pictures(rng), "names.txt": names(), "web-log.txt": web_log(rng), "patch.txt": patch(rng),
        "templates.txt": templates(),
    }
    for name, text in made.items():
        (out / name).write_text(text)
    copied = {"hooks": repo / "fixtures/claude-code", "docs": repo / "docs", "source": repo / "crates"}
    suffixes = {"hooks": {".json", ".jsonl"}, "docs": {".md", ".csv"}, "source": {".rs"}}
    for name, folder in copied.items():
        # The redactor's own source and tests hold forms of secrets on purpose.
        paths = sorted(p for p in folder.rglob("*") if p.suffix in suffixes[name] and not {"redact", "tests"} & set(p.parts))
        paths = [p for p in paths if p.name != "redaction.md"]
        # The tour of the client sends this made-up token to a server, and it is right to replace it.
        (out / f"{name}.txt").write_text("\n".join(p.read_text() for p in paths).replace("Bearer tok-123", "Bearer"))
    (out / "Cargo.lock.txt").write_text((repo / "Cargo.lock").read_text())


def digits(rng, count, alphabet="0123456789abcdef"):
    return "".join(rng.choice(alphabet) for _ in range(count))


def b64(rng, count):
    return base64.b64encode(rng.randbytes(count)).decode()


def git_log(rng):
    out = []
    for _ in range(200):
        out.append(f"commit {digits(rng, 40)}\nAuthor: Dev <dev@example.net>\nDate:   Fri Nov 20 10:11:12 2026 +0000\n\n    Fix token refresh in session key cache\n")
        out.append(f"index {digits(rng, 7)}..{digits(rng, 7)} 100644\n")
    out += [f"{digits(rng, 40)}\trefs/heads/feature-{n}" for n in range(200)]
    return "\n".join(out)


def uuids(rng):
    make = lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))
    lines = [make() for _ in range(200)]
    lines += [f"session_id={make()} request_id: {make()} trace={digits(rng, 32)}" for _ in range(100)]
    lines += [json.dumps({"id": make(), "tool_use_id": "toolu_" + digits(rng, 24, "ABCDEFabcdef0123456789"), "uuid": make()}) for _ in range(100)]
    return "\n".join(lines)


def hashes(rng):
    lines = [f"{digits(rng, 64)}  target/release/file-{n}.tar.gz" for n in range(150)]
    lines += [f"sha256:{digits(rng, 64)} nginx:1.{n}" for n in range(50)]
    lines += [f"    --hash=sha256:{digits(rng, 64)} \\" for _ in range(100)]
    lines += [f'ETag: "{digits(rng, 32)}"\nX-Request-Id: {digits(rng, 32)}' for _ in range(50)]
    lines += [f"MD5 ({n}.iso) = {digits(rng, 32)}" for n in range(50)]
    return "\n".join(lines)


def package_lock(rng):
    packages = {f"node_modules/pkg-{n}": {"version": f"1.{n}.0", "resolved": f"https://registry.example.net/pkg-{n}/-/pkg-{n}-1.{n}.0.tgz",
                                          "integrity": "sha512-" + b64(rng, 64), "engines": {"node": ">=18"}} for n in range(300)}
    return json.dumps({"lockfileVersion": 3, "packages": packages}, indent=2)


def go_sum(rng):
    return "\n".join(f"example.net/mod/v{n} v1.{n}.0{mod} h1:{b64(rng, 32)}" for n in range(200) for mod in ("", "/go.mod"))


def pictures(rng):
    # Compressed bytes with the head of a PNG, as data address, as lines, and inside JSON.
    def picture():
        return base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + zlib.compress(rng.randbytes(3000))).decode()
    wrapped = "\n".join(picture()[n:n + 76] for n in range(0, 4000, 76))
    return "\n".join([f'<img src="data:image/png;base64,{picture()}">' for _ in range(10)] + [wrapped]
                     + [json.dumps({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture()}}) for _ in range(10)])


def names():
    """Names and settings that speak of secrets without holding one."""
    return """
max_tokens=4096 token_count: 1234 tokens_per_minute=90000 "input_tokens": 1200, "cache_read_input_tokens": 900
password_policy: strict  password_min_length=12  passwordResetUrl: https://example.net/reset
secret_name = "billing-db"  secretRef: db-credentials  SECRET_PATH=/run/secrets/db  key_file=/etc/ssl/private/server.key
public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ3b3JrYmVuY2hwdWJsaWNrZXlmb3J0ZXN0cw dev@box"
const apiKey = process.env.API_KEY;  token := os.Getenv("GITHUB_TOKEN")  password = getpass.getpass()
export TOKEN=$(cat /run/secrets/token)  PASSWORD=${DB_PASSWORD:?}  curl -H "Authorization: Bearer $TOKEN" https://example.net
curl -u "$USER:$PASSWORD" https://example.net   postgres://user:${PGPASSWORD}@localhost/db  postgres://localhost:5432/db
foreign key (user_id) references users(id); primary_key=True; key = "created_at"; sort_key: "name"; keyboard: us; monkey: 12345678
author: Someone; authority = "example.net"; authenticate(user); authorization_code flow; auth_method = "none"; oauth2 = true
The token is rotated every hour; the password is stored in the vault; the secret of good coffee is fresh beans.
passphrase_for_key?  no password: set one with `passwd`.  Enter password:  Password: ********  token: <your-token>  api_key: YOUR_API_KEY
https://example.net/path/key/2026-11-20/secret-santa?sort=key&page=12   git@github.com:team/app.git   ssh://git@example.net:2222/app.git
cookie: accept all cookies?  session cookie_domain=example.net  basic training starts  bearer of good news  Basic functionality is tested
tokenizer = AutoTokenizer.from_pretrained("org/model-7b-2410")  secrets.token_hex(16)  keyring.get_password("a", "b")
kubectl get secret db-credentials -o name   aws secretsmanager list-secrets   vault kv list secret/   gh secret list
"publicKeyToken": "b77a5c561934e089"  xmlns:key="http://example.net/key"  aria-keyshortcuts="Control+K"
"""


def web_log(rng):
    return "\n".join(f'10.0.{rng.randrange(256)}.{rng.randrange(256)} - - [20/Nov/2026:10:{n % 60:02}:00 +0000] "GET /assets/app.{digits(rng, 20)}.js?v={digits(rng, 8)} HTTP/1.1" 200 {rng.randrange(99999)} "-" "Mozilla/5.0 (X11; Linux x86_64)"'
                     for n in range(300))


def patch(rng):
    return "\n".join(f"diff --git a/f{n}.rs b/f{n}.rs\nindex {digits(rng, 10)}..{digits(rng, 10)} 100644\n--- a/f{n}.rs\n+++ b/f{n}.rs\n@@ -1 +1 @@\n-    let key = map.get(id);\n+    let key = map.get(&id_{n});" for n in range(80))


def templates():
    return """
env:
  GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}
  NODE_AUTH_TOKEN: ${{ secrets.NPM_TOKEN }}
spec:
  valueFrom: {secretKeyRef: {name: db, key: password}}
variable "db_password" { type = string  sensitive = true }
password = var.db_password
resource "random_password" "db" { length = 32 }
password: "{{ vault_db_password }}"
api_key: !vault |
token = data.aws_secretsmanager_secret_version.t.secret_string
password: CHANGEME
password=<password>
AWS_SECRET_ACCESS_KEY=your-secret-access-key
"""
