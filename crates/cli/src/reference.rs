//! `docs/reference/cli.md` is made here, from what the commands say of themselves.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/cli.md");

const INTRODUCTION: &str = "\
# Commands

<!-- Made from the code by a test; to make it anew: UPDATE_PAGES=1 cargo nextest run -p hookhouse the_page_of_commands -->

Results go to stdout, everything else to stderr. `-o json` prints one document, `-o jsonl` a line for each result; colours are for
terminals alone. No secret ever stands on a command line: commands take the name of a variable or of a file.

A command finds the server and its store through `--config FILE`, else through `--context NAME` (see
[contexts](#hookhouse-contexts)) or the context in use, else through `./hookhouse.toml`, then `/etc/hookhouse/hookhouse.toml`, then
the folder of `hookhouse dev`. On the machine of the server it shows the token in the store's folder.

| exit code | means |
|---|---|
| 0 | ok |
| 1 | something failed |
| 2 | the command line makes no sense |
| 3 | the configuration has errors |
| 4 | there is no such thing |
| 5 | the server did not accept the token |
| 6 | no server answers |
| 7 | the verification, the audit of a store, or the doctor says no |
| 8 | some of it worked |
| 9 | what was waited for did not come |
";

/// Options that every command has.
const GLOBAL: [&str; 5] = ["config", "context", "output", "help", "version"];

fn made() -> String {
    let mut program = crate::Cli::command();
    program.build();
    let mut page = INTRODUCTION.to_owned();
    page += "\nEvery command takes:\n\n";
    options(&mut page, program.get_arguments().filter(|arg| GLOBAL[..3].contains(&arg.get_id().as_str())));
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        section(&mut page, command, "hookhouse", 2);
    }
    page
}

fn section(page: &mut String, command: &Command, parent: &str, depth: usize) {
    let name = format!("{parent} {}", command.get_name());
    writeln!(page, "\n{} {name}\n", "#".repeat(depth.min(4))).unwrap();
    let short = command.get_about().map(ToString::to_string).unwrap_or_default();
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    writeln!(page, "{}.", plain(&short).trim_end_matches('.')).unwrap();
    let more = long.strip_prefix(&short).unwrap_or(&long).trim();
    if !more.is_empty() {
        writeln!(page, "\n{}", plain(more)).unwrap();
    }
    let own = |arg: &&Arg| !GLOBAL.contains(&arg.get_id().as_str()) && !arg.is_hide_set();
    if command.get_subcommands().next().is_none() {
        let usage = command.clone().render_usage().to_string();
        let usage: Vec<_> = usage.trim_start_matches("Usage: ").split_whitespace().collect();
        writeln!(page, "\n```text\n{}\n```", usage.join(" ")).unwrap();
    }
    if command.get_arguments().any(|arg| own(&arg)) {
        page.push('\n');
        options(page, command.get_arguments().filter(own));
    }
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        section(page, sub, &name, depth + 1);
    }
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    page.push_str("| | |\n|---|---|\n");
    for argument in arguments {
        let value = argument
            .get_value_names()
            .filter(|_| argument.get_action().takes_values())
            .map(|names| names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" "))
            .unwrap_or_default();
        let mut names: Vec<_> = argument.get_short().map(|short| format!("-{short}")).into_iter().collect();
        names.extend(argument.get_long().map(|long| format!("--{long}")));
        let spelled = match names.is_empty() {
            true => value,
            false => format!("{} {value}", names.join(", ")).trim_end().to_owned(),
        };
        let mut help = plain(&argument.get_help().map(ToString::to_string).unwrap_or_default());
        let possible = argument.get_possible_values();
        let possible: Vec<_> = possible
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(clap::builder::PossibleValue::get_name)
            .collect();
        if !possible.is_empty() && argument.get_action().takes_values() {
            write!(
                help,
                " ({})",
                possible.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )
            .unwrap();
        }
        let default: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !default.is_empty() && argument.get_action().takes_values() {
            write!(help, "; default `{}`", default.join(" ")).unwrap();
        }
        if let Some(variable) = argument.get_env() {
            write!(help, "; or `{}` in the environment", variable.to_string_lossy()).unwrap();
        }
        writeln!(page, "| `{}` | {} |", spelled.replace('|', "\\|"), help.replace('|', "\\|")).unwrap();
    }
}

/// The words of a help text; what looks like a tag of HTML is none.
fn plain(text: &str) -> String {
    let paragraphs =
        text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n").replace('<', "\\<")
}

#[test]
fn the_page_of_commands_is_what_the_code_says() {
    let made = made();
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(FILE, &made).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    assert!(
        kept == made,
        "docs/reference/cli.md is not what the code says; make it anew with\n    UPDATE_PAGES=1 cargo nextest run -p hookhouse the_page_of_commands\n\n{made}"
    );
}

#[test]
fn every_command_and_option_says_what_it_is_for() {
    fn walk(command: &Command, name: &str) {
        assert!(command.get_about().is_some(), "{name}");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name} {}", argument.get_id());
        }
        for sub in command.get_subcommands() {
            walk(sub, &format!("{name} {}", sub.get_name()));
        }
    }
    let mut program = crate::Cli::command();
    program.build();
    program.clone().debug_assert();
    walk(&program, "hookhouse");
}

#[test]
fn no_option_takes_a_secret() {
    fn walk(command: &Command, name: &str) {
        for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
            let option = argument.get_long().unwrap_or_default();
            let secret = option.split('-').any(|word| ["secret", "token", "password", "key"].contains(&word));
            // Which key, by its name.
            let which = ["shared-key", "crc-key"].contains(&option);
            let named = which || ["-env", "-file"].iter().any(|end| option.ends_with(end));
            assert!(!secret || named, "{name} --{option}");
        }
        for sub in command.get_subcommands() {
            walk(sub, &format!("{name} {}", sub.get_name()));
        }
    }
    walk(&crate::Cli::command(), "hookhouse");
}
