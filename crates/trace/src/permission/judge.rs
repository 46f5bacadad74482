//! What the client's rules say of one action: first those that forbid, then those that ask, then those that permit, then the mode.

use super::bash::{self, Command};
use super::habit::{NEVER_ASKED, is_protected};
use super::path::{self, Roots};
use super::rule::{self, Match};
use super::{Action, File, InForce, List};
use sealtrail_event::SettingsScope;

/// What was decided, on which ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It ran without a question.
    Granted(Ground),
    /// A person had to be asked.
    Asked(Ground),
    /// It was forbidden.
    Denied(Ground),
    /// It cannot be told; what would have to be known.
    Unknown(Vec<String>),
}

/// Why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The rules; several where a command line does several things.
    pub rules: Vec<ByRule>,
    /// What else decided: the mode, or the client's own habit. In words.
    pub because: String,
}

/// A rule, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByRule {
    /// The rule as written.
    pub rule: String,
    /// In which list.
    pub list: List,
    /// Whose settings.
    pub scope: SettingsScope,
    /// The file.
    pub path: String,
    /// The snapshot that shows it.
    pub event: String,
    /// When that snapshot was taken.
    pub at: String,
}

/// Judges an action by the files that held.
pub fn judge(action: &Action<'_>, held: &InForce) -> Ruling {
    let case = Case { action, held, command: action.command().map(Command::new) };
    let mut doubts = case.doubts();
    for list in [List::Deny, List::Ask] {
        match case.against(list, &mut doubts) {
            Some(by) if list == List::Deny => return Ruling::Denied(Ground { rules: vec![by], because: String::new() }),
            Some(by) => return case.ask(Ground { rules: vec![by], because: String::new() }, doubts),
            None => {}
        }
    }
    let ruling = case.permitted(&mut doubts);
    match ruling {
        Ruling::Denied(_) => ruling,
        _ if doubts.is_empty() => ruling,
        _ => Ruling::Unknown(doubts),
    }
}

struct Case<'a> {
    action: &'a Action<'a>,
    held: &'a InForce,
    command: Option<Command>,
}

fn doubt(doubts: &mut Vec<String>, text: String) {
    if !doubts.contains(&text) {
        doubts.push(text);
    }
}

fn because(text: impl Into<String>) -> Ground {
    Ground { rules: Vec::new(), because: text.into() }
}

impl Case<'_> {
    /// What is not known of the files themselves.
    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.held.files.is_empty() && self.held.missing.is_empty() {
            doubts.push("which settings files there were: none was recorded for this session before the action".to_owned());
        }
        for file in self.held.files.iter().filter(|file| file.unread.is_some()) {
            let why = file.unread.as_deref().unwrap_or_default();
            doubts.push(format!("the rules of {}: the file could not be read ({why})", file.path));
        }
        if self.action.input.is_null() {
            doubts.push("what the action was: its input is not in the trail (erased, or never seen)".to_owned());
        }
        if self.command.as_ref().is_some_and(|command| command.too_long) {
            doubts.push("what the command line does: it is too long to be held against patterns".to_owned());
        }
        doubts
    }

    /// The files whose rules of a list count. Where only the organisation's do, the command line and the person can still forbid.
    fn files(&self, list: List) -> impl Iterator<Item = &File> {
        let only_managed = self.held.files.iter().any(|file| file.scope == SettingsScope::Managed && file.managed_rules_only);
        let forbids = move |file: &File| list != List::Allow && (file.is_command_line() || file.scope == SettingsScope::Session);
        let counts = move |file: &&File| match file.scope {
            SettingsScope::Trust => false,
            SettingsScope::Managed => true,
            _ => !only_managed || forbids(file),
        };
        self.held.files.iter().filter(counts).filter(|file| !self.held.leaves_out(file.scope))
    }

    fn roots<'b>(&'b self, file: &'b File) -> Roots<'b> {
        let anchor = match file.scope {
            SettingsScope::User => file.path.rsplit_once('/').map(|(folder, _)| folder),
            SettingsScope::Managed | SettingsScope::Trust => None,
            SettingsScope::Launch if !file.is_command_line() => {
                file.path.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| folder.starts_with('/'))
            }
            SettingsScope::Project | SettingsScope::Local | SettingsScope::Launch | SettingsScope::Session => self.held.folder.as_deref(),
        };
        Roots { folder: self.held.folder.as_deref(), cwd: self.action.cwd, home: self.held.home.as_deref(), anchor }
    }

    /// Finds the first rule of a list that forbids or asks.
    fn against(&self, list: List, doubts: &mut Vec<String>) -> Option<ByRule> {
        for file in self.files(list) {
            for text in file.rules(list) {
                match self.hold_against(text, list, file) {
                    Match::Yes => return Some(file.by(text, list)),
                    Match::Unsure(why) => doubt(doubts, format!("whether {text} of {} means this action: {why}", file.path)),
                    Match::No => {}
                }
            }
        }
        None
    }

    fn hold_against(&self, text: &str, list: List, file: &File) -> Match {
        if text.contains("[redacted:") {
            return Match::Unsure("a part of the rule is redacted");
        }
        let rule = rule::parse(text);
        let roots = self.roots(file);
        let found = rule::matches(&rule, list, self.action, roots);
        let (Some(command), Some(pattern)) = (&self.command, &rule.specifier) else { return found };
        match rule.tool {
            _ if found != Match::No => found,
            "Bash" if self.action.tool == "Bash" && !self.by_parameter(pattern) => match (command.is_against(pattern), command.line.opaque)
            {
                (true, _) => Match::Yes,
                (false, Some(why)) => Match::Unsure(why),
                (false, None) => Match::No,
            },
            "Read" | "Edit" if list == List::Deny => self.files_of_command(rule.tool, pattern, roots),
            _ => Match::No,
        }
    }

    /// Tells whether the specifier names a parameter of the input.
    fn by_parameter(&self, specifier: &str) -> bool {
        !specifier.ends_with(":*") && specifier.split_once(':').is_some_and(|(name, _)| self.action.input.get(name).is_some())
    }

    /// Holds the files that a command line names against a rule for files.
    fn files_of_command(&self, tool: &str, pattern: &str, roots: Roots<'_>) -> Match {
        let Some(command) = &self.command else { return Match::No };
        let covered = |word: &str| {
            let path = path::absolute(word, self.action.cwd, self.held.home.as_deref());
            path.map_or(Match::No, |path| rule::by_covering(pattern, &path, List::Deny, roots))
        };
        let mut words: Vec<&str> = command.line.commands.iter().flat_map(|command| command.writes.iter().map(String::as_str)).collect();
        if tool == "Read" {
            words.extend(command.line.commands.iter().filter(|command| bash::reads_files(command)).flat_map(bash::operands));
        }
        words.into_iter().map(covered).find(|found| *found == Match::Yes).unwrap_or(Match::No)
    }

    /// Where nothing permits: the person is asked, unless the mode answers.
    fn ask(&self, ground: Ground, doubts: Vec<String>) -> Ruling {
        match self.action.mode {
            "dontAsk" => Ruling::Denied(Ground { because: "the mode dontAsk refuses whatever would be asked".to_owned(), ..ground }),
            _ if !doubts.is_empty() => Ruling::Unknown(doubts),
            _ => Ruling::Asked(ground),
        }
    }

    fn permitted(&self, doubts: &mut Vec<String>) -> Ruling {
        let mode = self.action.mode;
        if mode == "bypassPermissions" {
            return Ruling::Granted(because("the mode bypassPermissions permits everything that no rule forbids or asks about"));
        }
        let edits = rule::is_editor(self.action.tool);
        let path = self.action.path(self.held.home.as_deref());
        if edits && path.as_deref().is_some_and(is_protected) {
            return self.ask(because("the client always asks before it changes this file"), Vec::new());
        }
        if mode == "plan" && edits {
            doubt(doubts, "whether an edit was possible while planning: the client decides by how it was started".to_owned());
        }
        if let Some(ground) = self.by_rules(doubts) {
            return Ruling::Granted(ground);
        }
        if NEVER_ASKED.contains(&self.action.tool) {
            return Ruling::Granted(because("the client never asks about this tool"));
        }
        let inside = path.as_deref().is_some_and(|path| self.is_inside(path));
        if rule::is_reader(self.action.tool) && inside {
            return Ruling::Granted(because("the client lets read in its folders"));
        }
        if mode == "acceptEdits" && edits && inside {
            return Ruling::Granted(because("the mode acceptEdits permits edits in the client's folders"));
        }
        match mode {
            "auto" => doubt(doubts, "what the client's own classifier said: the mode auto leaves the decision to it".to_owned()),
            "" => doubt(doubts, "the permission mode".to_owned()),
            _ => {}
        }
        self.ask(because("no rule of the recorded files permits it"), Vec::new())
    }

    fn is_inside(&self, path: &str) -> bool {
        let folders = self.held.folder.iter().map(String::as_str).chain(self.held.additional_folders());
        folders.filter(|folder| !folder.is_empty()).any(|folder| path::is_inside(path, folder))
    }

    /// The rules that permit the action, all of them where it takes several.
    fn by_rules(&self, doubts: &mut Vec<String>) -> Option<Ground> {
        let Some(command) = self.command.as_ref().filter(|_| self.action.tool == "Bash") else {
            return self.first(doubts, |rule, file| rule::matches(rule, List::Allow, self.action, self.roots(file))).map(by_one);
        };
        let whole = |rule: &rule::Rule<'_>, _: &File| match &rule.specifier {
            _ if rule.tool != "Bash" => Match::No,
            None => Match::Yes,
            Some(pattern) => {
                if command.is(pattern) {
                    Match::Yes
                } else {
                    Match::No
                }
            }
        };
        if let Some(by) = self.first(doubts, whole) {
            return Some(by_one(by));
        }
        if command.line.odd.is_some() || command.line.commands.is_empty() {
            return None;
        }
        let mut ground = Ground::default();
        for part in &command.line.commands {
            self.part(part, &mut ground, doubts)?;
        }
        Some(ground)
    }

    /// Finds what permits one command of a line, and the files it writes to.
    fn part(&self, part: &super::shell::Simple, ground: &mut Ground, doubts: &mut Vec<String>) -> Option<()> {
        let permits = |rule: &rule::Rule<'_>, _: &File| match &rule.specifier {
            Some(pattern) if rule.tool == "Bash" && bash::permits(pattern, part) => Match::Yes,
            _ => Match::No,
        };
        let mode = self.action.mode;
        match self.first(doubts, permits) {
            Some(by) if !ground.rules.contains(&by) => ground.rules.push(by),
            Some(_) => {}
            None if bash::is_harmless(part) && self.stays_inside(part, doubts) => {
                add(ground, "the client runs commands that only read without a rule")
            }
            None if mode == "acceptEdits" && bash::is_edit(part) && self.stays_inside(part, doubts) => {
                add(ground, "the mode acceptEdits permits commands on files in the client's folders");
            }
            None => return None,
        }
        for target in part.writes.iter().filter(|target| target.as_str() != "/dev/null") {
            let path = path::absolute(target, self.action.cwd, self.held.home.as_deref())?;
            if mode == "acceptEdits" && self.is_inside(&path) && !is_protected(&path) {
                continue;
            }
            let covers = |rule: &rule::Rule<'_>, file: &File| match &rule.specifier {
                Some(pattern) if rule.tool == "Edit" => rule::by_covering(pattern, &path, List::Allow, self.roots(file)),
                _ => Match::No,
            };
            let by = self.first(doubts, covers)?;
            if !ground.rules.contains(&by) {
                ground.rules.push(by);
            }
        }
        Some(())
    }

    /// Tells whether the files that a command names are ones the client may read, as far as its words tell.
    fn stays_inside(&self, part: &super::shell::Simple, doubts: &mut Vec<String>) -> bool {
        let changes_folder = part.raw.first().is_some_and(|first| first == "cd");
        bash::operands(part).all(|word| {
            let leads = changes_folder || word.starts_with(['/', '~']) || word.split('/').any(|part| part == "..");
            let Some(path) = path::absolute(word, self.action.cwd, self.held.home.as_deref()).filter(|_| leads) else { return !leads };
            let covers = |rule: &rule::Rule<'_>, file: &File| match &rule.specifier {
                Some(pattern) if matches!(rule.tool, "Read" | "Edit") => rule::by_covering(pattern, &path, List::Allow, self.roots(file)),
                None if rule.tool == "Read" => Match::Yes,
                _ => Match::No,
            };
            self.is_inside(&path) || (!changes_folder && self.first(doubts, covers).is_some())
        })
    }

    /// Finds the first rule that permits; a project's rules count only in a folder that the person trusts.
    fn first(&self, doubts: &mut Vec<String>, holds: impl Fn(&rule::Rule<'_>, &File) -> Match) -> Option<ByRule> {
        let mut unsure = Vec::new();
        for file in self.files(List::Allow) {
            for text in file.rules(List::Allow) {
                let needs_trust = matches!(file.scope, SettingsScope::Project | SettingsScope::Local);
                match holds(&rule::parse(text), file) {
                    _ if needs_trust && self.held.trusted == Some(false) => {}
                    Match::Yes if text.contains("[redacted:") => {
                        unsure.push(format!("whether {text} means this action: a part of the rule is redacted"))
                    }
                    Match::Yes if needs_trust && self.held.trusted.is_none() => {
                        unsure.push(format!("whether the folder is trusted: only then {text} of {} counts", file.path));
                    }
                    Match::Yes => return Some(file.by(text, List::Allow)),
                    Match::Unsure(why) => unsure.push(format!("whether {text} of {} means this action: {why}", file.path)),
                    Match::No => {}
                }
            }
        }
        unsure.into_iter().for_each(|text| doubt(doubts, text));
        None
    }
}

fn by_one(by: ByRule) -> Ground {
    Ground { rules: vec![by], because: String::new() }
}

fn add(ground: &mut Ground, why: &str) {
    if !ground.because.contains(why) {
        ground.because = if ground.because.is_empty() { why.to_owned() } else { format!("{}; {why}", ground.because) };
    }
}
