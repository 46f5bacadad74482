//! Clouds, clusters, containers and infrastructure tools: provider, service, operation, resource.

use super::options::Options;
use super::table::is_plain;
use super::walk::{Simple, Walk};
use super::word::Word;
use super::wrap::Call;

const CLOUD: &str = "infra.cloud";

/// Options of `aws` before and after the command that take the next word and name no resource.
const AWS_VALUES: &str = "--region --profile --output --query --endpoint-url --color --ca-bundle --cli-input-json --page-size --max-items --filters --acl --cli-read-timeout";
/// Options that name the resource, in the order of preference.
const AWS_RESOURCES: &[&str] = &[
    "--bucket",
    "--function-name",
    "--table-name",
    "--db-instance-identifier",
    "--instance-ids",
    "--instance-id",
    "--secret-id",
    "--name",
    "--user-name",
    "--role-name",
    "--policy-arn",
    "--stack-name",
    "--cluster",
    "--cluster-name",
    "--queue-url",
    "--topic-arn",
    "--key-id",
    "--log-group-name",
    "--group-id",
    "--repository-name",
    "--volume-id",
    "--id",
    "--role-arn",
];

/// `aws service operation`; addresses of objects are the resource.
pub(super) fn aws(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let values = format!("{AWS_VALUES} {}", AWS_RESOURCES.join(" "));
    let options = Options::parse(call.words, &values);
    let service = plain(options.operands.first());
    let operation = plain(options.operands.get(1));
    let operands = options.operands.get(2..).unwrap_or_default();
    let object = operands.iter().copied().find(|word| word.text.contains("://"));
    let resource = object.or_else(|| options.value(AWS_RESOURCES)).or_else(|| operands.first().copied());
    let certain = resource.is_none_or(|word| !word.uncertain);
    let action = operation.clone().or_else(|| service.clone()).unwrap_or_else(|| "execute".to_owned());
    let Some(action) = walk.add(CLOUD, &action, "cloud", resource.map(|word| word.text.clone()), certain) else { return };
    action.detail.insert("provider", "aws".to_owned());
    action.detail.extend(service.clone().map(|service| ("service", service)));
    if service.as_deref() == Some("s3") && operands.len() == 2 {
        action.detail.insert("from", operands[0].text.clone());
        action.detail.insert("to", operands[1].text.clone());
        copied(walk, operands[0], operands[1], operation.as_deref() == Some("mv"));
    }
}

/// The local end of a copy between a cloud and this machine.
fn copied(walk: &mut Walk, from: &Word, to: &Word, moves: bool) {
    let is_local = |word: &Word| !word.text.contains("://") && word.text != "-";
    if is_local(from) && !is_local(to) {
        let (event_type, verb) = if moves { ("data.file_move", "upload") } else { ("data.file_read", "upload") };
        walk.file(event_type, verb, from);
    } else if is_local(to) && !is_local(from) {
        walk.file("data.file_write", "download", to);
    }
}

/// Clouds whose commands are words before the options: `gcloud compute instances delete vm`.
pub(super) fn words(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let values =
        "--project --zone --region --format --filter -g --resource-group -n --name --subscription --account --query -o --output --query";
    let options = Options::parse(call.words, values);
    let verbs: Vec<String> = options.operands.iter().map_while(|word| plain(Some(word))).take(5).collect();
    let end = verbs.iter().position(|word| VERBS.iter().any(|verb| word.starts_with(verb))).map_or(verbs.len().min(3), |at| at + 1);
    let service = verbs.first().cloned();
    let action = if end > 1 { verbs[1..end].join(".") } else { service.clone().unwrap_or_else(|| "execute".to_owned()) };
    let resource = options.operands.get(end).copied().or_else(|| options.value(&["-n", "--name", "-g", "--resource-group"]));
    let certain = resource.is_none_or(|word| !word.uncertain);
    if let Some(action) = walk.add(CLOUD, &action, "cloud", resource.map(|word| word.text.clone()), certain) {
        action.detail.insert("provider", call.program.to_owned());
        action.detail.extend(service.map(|service| ("service", service)));
    }
}

/// Words that end the command and are followed by the resource.
const VERBS: &[&str] = &[
    "list", "describe", "show", "get", "create", "delete", "update", "remove", "add", "start", "stop", "restart", "deploy", "set", "ssh",
    "login", "upload", "download", "copy", "cp", "mv", "rm", "ls", "apply", "destroy", "scale", "run", "exec", "push", "pull", "print",
    "access",
];

/// `gsutil cp a gs://b`, `rclone copy a remote:b`.
pub(super) fn storage(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let operation = plain(options.operands.first()).unwrap_or_else(|| "execute".to_owned());
    let operands = options.operands.get(1..).unwrap_or_default();
    let is_remote = |word: &Word| word.text.contains("://") || (call.program == "rclone" && word.text.contains(':'));
    let resource = operands.iter().copied().find(|word| is_remote(word)).or(operands.first().copied());
    let certain = resource.is_none_or(|word| !word.uncertain);
    let Some(action) = walk.add(CLOUD, &operation, "cloud", resource.map(|word| word.text.clone()), certain) else { return };
    action.detail.insert("provider", call.program.to_owned());
    if let [from, to] = operands {
        match (is_remote(from), is_remote(to)) {
            (false, true) => super::files::each(walk, "data.file_read", "upload", &[from]),
            (true, false) => super::files::each(walk, "data.file_write", "download", &[to]),
            _ => {}
        }
    }
}

/// `kubectl verb kind/name -n namespace`.
pub(super) fn kubectl(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let options = Options::parse(
        call.words,
        "-n --namespace --context --kubeconfig -f --filename -l --selector -o --output -c --container --cluster --user -k",
    );
    let operation = plain(options.operands.first()).unwrap_or_else(|| "execute".to_owned());
    let inside = options.operands.get(1).filter(|_| operation == "exec").map(|word| word.text.clone());
    let file = options.value(&["-f", "--filename", "-k"]);
    let resource = match options.operands.get(1..3) {
        Some([kind, name]) if !kind.text.contains('/') && !matches!(operation.as_str(), "exec" | "logs" | "cp") => {
            Some(format!("{}/{}", kind.text, name.text))
        }
        _ => options.operands.get(1).map(|word| word.text.clone()),
    };
    let certain = options.operands.iter().take(3).all(|word| !word.uncertain);
    if let Some(action) = walk.add(CLOUD, &operation, "cloud", resource, certain) {
        action.detail.insert("provider", call.program.to_owned());
        action.detail.extend(options.value(&["-n", "--namespace"]).map(|word| ("namespace", word.text.clone())));
        action.detail.extend(options.value(&["--context"]).map(|word| ("context", word.text.clone())));
    }
    if let Some(file) = file.filter(|file| !file.text.contains("://")) {
        walk.file("data.file_read", "read", file);
    }
    if let (Some(name), Some(end)) = (inside, call.words.iter().position(|word| word.text == "--")) {
        in_container(walk, name, &call.words[end + 1..]);
    }
}

/// A command that runs in a container; its words are none of ours.
fn in_container(walk: &mut Walk, name: String, words: &[Word]) {
    if !words.is_empty() {
        walk.within("container", name, |walk| walk.nested(&Simple { words: words.to_vec(), ..Simple::default() }));
    }
}

/// Tools whose first words are the command: `terraform apply`, `helm upgrade release chart`.
pub(super) fn tool(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let options = Options::parse(
        call.words,
        "-n --namespace -f --values --set -var -var-file -i --inventory -chdir --stack -s -u --user -e --extra-vars --project --token",
    );
    let by_file = call.program == "ansible-playbook";
    let operation = if by_file { None } else { plain(options.operands.first()) };
    let operands = options.operands.get(usize::from(operation.is_some())..).unwrap_or_default();
    let groups = ["state", "workspace", "secrets", "kv", "repo", "plugin", "auth", "policy", "token", "app", "db", "functions"];
    let sub = operation.as_deref().filter(|word| groups.contains(word)).and_then(|_| plain(operands.first().copied().as_ref()));
    let resource = operands.get(usize::from(sub.is_some())).copied();
    let action = [operation, sub].into_iter().flatten().collect::<Vec<String>>().join(".");
    let certain = resource.is_none_or(|word| !word.uncertain);
    if let Some(action) = walk.add(CLOUD, &action, "cloud", resource.map(|word| word.text.clone()), certain) {
        action.detail.insert("provider", call.program.to_owned());
    }
}

const CONTAINER_VALUES: &str = "-v --volume -e --env --env-file -p --publish -w --workdir -u --user -f --file -t --tag --name --network --mount --entrypoint -m --memory --cpus --build-arg --platform -H --host --context -l --label --project-name --add-host --restart --format --filter -c --target";

/// `docker run image`, `docker compose up`: the image or container is the resource; mounted folders are told.
pub(super) fn container(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let options = Options::parse(call.words, CONTAINER_VALUES);
    let mut words = options.operands.iter().copied();
    let mut operation = words.next().and_then(|word| plain(Some(&word))).unwrap_or_else(|| "execute".to_owned());
    let mut resource = words.next();
    if matches!(
        operation.as_str(),
        "compose" | "image" | "container" | "volume" | "network" | "system" | "buildx" | "secret" | "swarm" | "service"
    ) && let Some(sub) = resource.as_ref().and_then(|word| plain(Some(word)))
    {
        operation = format!("{operation}.{sub}");
        resource = words.next();
    }
    let mounts: Vec<String> = options.values(&["-v", "--volume", "--mount"]).iter().take(4).map(|word| word.text.clone()).collect();
    let certain = resource.is_none_or(|word| !word.uncertain);
    if let Some(action) = walk.add(CLOUD, &operation, "cloud", resource.map(|word| word.text.clone()), certain) {
        action.detail.insert("provider", call.program.to_owned());
        if !mounts.is_empty() {
            action.detail.insert("mounts", mounts.join(" "));
        }
        if options.has(&["--privileged"]) {
            action.detail.insert("container_privileged", "true".to_owned());
        }
    }
    if let Some(name) = resource.filter(|_| matches!(operation.as_str(), "run" | "exec" | "compose.run" | "compose.exec")) {
        let end = call.words.iter().position(|word| std::ptr::eq(word, name)).map_or(call.words.len(), |at| at + 1);
        in_container(walk, name.text.clone(), &call.words[end..]);
    }
}

fn plain(word: Option<&&Word>) -> Option<String> {
    word.filter(|word| !word.uncertain && is_plain(&word.text)).map(|word| word.text.clone())
}
