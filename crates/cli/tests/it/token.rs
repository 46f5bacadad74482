//! `token` and `mcp`: who may read, as a user meets it.

use serde_json::Value;

use crate::run::Machine;

/// Protects the record of who may read: a token is shown once, listed without its secret, and both its making and its end are sealed.
#[test]
fn tokens_are_made_listed_and_revoked() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let made = machine.run_args(&["token", "create", "--name", "soc", "--scope", "read", "--filter", "user_id=ann", "--expires", "30d"]);
    assert_eq!(made.exit, 0, "{}", made.stderr);
    let secret = made.stdout.trim();
    assert!(secret.starts_with("stk_") && secret.len() == 47, "{secret}");
    let listed = machine.run("token list -o json");
    let tokens: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&tokens[0]["name"], &tokens[0]["filter"], &tokens[0]["state"]), (&"soc".into(), &"user_id=ann".into(), &"valid".into()));
    assert!(!listed.stdout.contains(secret));
    assert_eq!(machine.run("token create --name soc --scope read").exit, 1);
    assert_eq!(machine.run_args(&["token", "create", "--name", "x", "--scope", "read", "--filter", "usr_id=1"]).exit, 64);
    assert_eq!(machine.run("token create --name w --scope write --no-content").exit, 64);
    assert_eq!(machine.run("token revoke soc").exit, 0);
    assert_eq!(machine.run("token revoke soc").exit, 1);
    let told: Value = serde_json::from_str(&machine.run("search --event-type auth.token_* --oldest-first -o json").stdout).unwrap();
    let told: Vec<_> = told.as_array().unwrap().iter().map(|event| (&event["event_type"], &event["access"]["token"])).collect();
    assert_eq!(told, [(&"auth.token_created".into(), &"soc".into()), (&"auth.token_revoked".into(), &"soc".into())]);
}

/// Protects the trail from agents: without a token the tool for them does not start, and the API listens on this machine only.
#[test]
fn agents_need_a_token() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let refused = machine.run("mcp");
    assert_eq!(refused.exit, 7);
    assert!(refused.stderr.contains("sealtrail token create"), "{}", refused.stderr);
    let wide = machine.run("daemon --listen 0.0.0.0:0");
    assert_eq!(wide.exit, 7);
    assert!(wide.stderr.contains("other machines could read tokens"), "{}", wide.stderr);
}

/// Protects the change of a key: it is printed once, the old one goes on for as long as asked, and making and changing it are sealed with what it is bound to.
#[test]
fn write_keys_are_bound_and_rotated() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let made = machine.run("token create --name billing --scope write --application billing-service");
    assert_eq!(made.exit, 0, "{}", made.stderr);
    let rotated = machine.run("token rotate billing --grace 12h");
    assert_eq!(rotated.exit, 0, "{}", rotated.stderr);
    assert!(rotated.stdout.starts_with("stk_") && rotated.stdout != made.stdout);
    assert_eq!(machine.run("token rotate nobody").exit, 1);
    assert_eq!(machine.run("token rotate billing --grace soon").exit, 64);
    assert_eq!(machine.run("token create --name r --scope read --application x").exit, 64);
    let told: Value = serde_json::from_str(&machine.run("search --event-type auth.token_* --oldest-first -o json").stdout).unwrap();
    assert_eq!(told[0]["access"]["application_id"], "billing-service");
    assert_eq!((&told[1]["event_type"], &told[1]["access"]["token"]), (&"auth.token_rotated".into(), &"billing".into()));
    assert!(told[1]["access"]["until"].is_string());
}

/// Protects keys on the network: a collector that others could hear does not start without certificates, and one with wrong ones says which file.
#[test]
fn serve_encrypts_or_stays_here() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let wide = machine.run("serve --listen 0.0.0.0:0");
    assert_eq!(wide.exit, 7);
    assert!(wide.stderr.contains("--tls-cert"), "{}", wide.stderr);
    let wrong = machine.run("serve --listen 0.0.0.0:0 --tls-cert none.pem --tls-key none.pem");
    assert_eq!(wrong.exit, 78);
    assert!(wrong.stderr.contains("none.pem"), "{}", wrong.stderr);
    assert_eq!(machine.run("serve --tls-cert none.pem").exit, 64);
}
