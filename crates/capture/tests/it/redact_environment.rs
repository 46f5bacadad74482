//! Environments are never stored wholesale: the names tell what was there, the values go, whatever they look like.

use sealtrail_capture::redact::Redactor;
use serde_json::{Value, json};

/// Values that no rule would call secret.
const VALUES: &[(&str, &str)] =
    &[("ACME_REGION", "blue giraffe"), ("ACME_UPSTREAM", "10.2.3.4:9000"), ("ACME_OWNER", "maria"), ("ACME_TIER", "gold")];

fn dump(lead: &str, between: &str) -> String {
    VALUES.iter().map(|(name, value)| format!("{lead}{name}={value}")).collect::<Vec<_>>().join(between)
}

fn hook(command: &str, stdout: &str) -> Value {
    json!({"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_input": {"command": command}, "tool_response": {"stdout": stdout, "stderr": ""}})
}

fn check(mut hook: Value) {
    let before = hook.to_string();
    Redactor::new().value(&mut hook);
    let after = hook.to_string();
    for (name, value) in VALUES {
        assert!(!after.contains(value), "{value} of {before} is left in {after}");
        assert!(after.contains(name), "{name} of {before} is not in {after}");
    }
}

/// Protects short environments: the command says that what follows is one, however few lines it has.
#[test]
fn the_command_tells_that_its_output_is_an_environment() {
    let commands = [
        "env",
        "printenv",
        "/usr/bin/env",
        "sudo env",
        "env | sort",
        "env 2>/dev/null",
        "cd /srv && env | grep ACME",
        "docker exec web env",
        "ssh host printenv",
        "kubectl exec pod-1 -- env",
        "cat .env",
        "cat config/prod.env.local config/prod.env",
        "head -20 .env.production",
        "cat /srv/.envrc",
        "cat /proc/self/environ",
        "tr '\\0' '\\n' < /proc/1/environ",
        "grep -r ACME .env",
    ];
    for command in commands {
        check(hook(command, &dump("", "\n")));
        check(json!({"tool_calls": [{"tool_name": "Bash", "tool_input": {"command": command}, "tool_response": dump("", "\n")}]}));
        check(json!({"tool_input": {"command": command}, "error": format!("Exit code 1\n{}", dump("", "\n"))}));
    }
    for (command, lead) in [("export -p", "export "), ("declare -x", "declare -x "), ("export", "declare -x "), ("set", "")] {
        check(hook(command, &dump(lead, "\n")));
    }
    check(hook("cat /proc/self/environ", &dump("", "\0")));
    check(hook(
        "grep -n '' .env",
        &VALUES.iter().enumerate().map(|(n, (name, value))| format!("{n}:{name}={value}\n")).collect::<String>(),
    ));
    check(hook("git diff .env", &dump("+", "\n")));
}

/// Protects files: what is read from, written to and changed in a file of variables.
#[test]
fn a_file_of_variables_is_an_environment() {
    let text = dump("", "\n");
    check(
        json!({"tool_name": "Read", "tool_input": {"file_path": "/srv/.env"}, "tool_response": {"type": "text", "file": {"filePath": "/srv/.env", "content": text}}}),
    );
    check(json!({"tool_name": "Write", "tool_input": {"file_path": "/srv/.env", "content": text}}));
    check(json!({"tool_name": "Edit", "tool_input": {"file_path": "/srv/app.env", "old_string": "", "new_string": text}}));
    let lines: Vec<String> = VALUES.iter().map(|(name, value)| format!("+{name}={value}")).collect();
    check(
        json!({"tool_name": "Edit", "tool_input": {"file_path": "/srv/.env"}, "tool_response": {"filePath": "/srv/.env", "structuredPatch": [{"lines": lines}]}}),
    );
    check(
        json!({"tool_calls": [{"tool_name": "Read", "tool_input": {"file_path": "/srv/.env"}, "tool_response": format!("1→{}", dump("", "\n2→"))}]}),
    );
}

/// Protects long environments without a hint: many names in capitals, or the names that every process has.
#[test]
fn an_environment_shows_by_its_look() {
    let known = "HOME=/home/dev\nPATH=/usr/bin\nUSER=dev\n";
    check(hook("./show.sh", &format!("{known}{}", dump("", "\n"))));
    check(hook("./show.sh", &format!("{known}{}", dump("", "\n")).replace('\n', "\0")));
    let mapping: Vec<String> = VALUES.iter().map(|(name, value)| format!("'{name}': '{value}'")).collect();
    check(hook("python3 show.py", &format!("environ({{'HOME': '/home/dev', {}}})", mapping.join(", "))));
    let mut members = json!({"HOME": "/home/dev", "PATH": "/usr/bin", "USER": "dev"});
    for (name, value) in VALUES {
        members[name] = (*value).into();
    }
    check(hook("node show.js", &members.to_string()));
    check(json!({"tool_response": members}));
    let pairs: serde_json::Map<String, Value> = VALUES.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    check(json!({"tool_input": {"config": {"env": pairs}}}));
    let list: Vec<String> = VALUES.iter().map(|(name, value)| format!("{name}={value}")).collect();
    check(json!({"tool_response": {"Config": {"Env": list}}}));
}

/// Protects single values: a command that prints a variable without its name.
#[test]
fn a_value_without_its_name_goes() {
    for command in ["printenv ACME_UPSTREAM", "echo $ACME_TOKEN", "echo \"${DB_PASSWORD}\" | base64", "printf '%s' \"$API_KEY\""] {
        let mut hook = hook(command, "blue giraffe\n");
        Redactor::new().value(&mut hook);
        assert_eq!(hook["tool_response"]["stdout"], "[redacted:environment]", "{command}");
        assert_eq!(hook["tool_input"]["command"], command);
    }
}

/// Protects ordinary work: harmless variables keep their values, and commands that only set variables show what they print.
#[test]
fn what_is_no_environment_stays() {
    let mut harmless = hook("env", "HOME=/home/dev\nPATH=/usr/bin:/bin\nLANG=C.UTF-8\nSHELL=/bin/bash\nPWD=/srv\nTERM=xterm\n");
    let before = harmless.clone();
    Redactor::new().value(&mut harmless);
    assert_eq!(harmless, before);
    for command in [
        "echo done",
        "echo $HOME",
        "env FOO=1 make",
        "export FOO=1 && make",
        "set -e; make",
        "curl -H \"X: $(printenv TOKEN)\" https://example.net",
        "printenv HOME",
    ] {
        let mut hook = hook(command, "Blue Giraffe built\nWIDTH=80\n");
        let before = hook.clone();
        Redactor::new().value(&mut hook);
        assert_eq!(hook, before, "{command}");
    }
}
