//! What holds for every command.

use clap::{Command, CommandFactory as _};

use super::Cli;

fn walk(command: &Command, path: &str, visit: &mut impl FnMut(&Command, &str)) {
    visit(command, path);
    for child in command.get_subcommands() {
        walk(child, &format!("{path} {}", child.get_name()), visit);
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_every_group_shows_an_example_of_itself() {
    walk(&Cli::command(), "evergrant", &mut |command, path| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(
            help.contains("Example") && help.contains(path),
            "`{path}` shows no example of itself: {help}"
        );
    });
}

#[test]
fn no_option_takes_a_secret_from_the_command_line() {
    walk(&Cli::command(), "evergrant", &mut |command, path| {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let takes_value = argument.get_action().takes_values();
            let secret = ["secret", "password", "token", "master_key"]
                .iter()
                .any(|word| name.contains(word));
            assert!(
                !secret || !takes_value || name.ends_with("_file"),
                "`{path}` takes {name} by value"
            );
        }
    });
}
