//! `hookhouse man`: the manual pages.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;

use crate::exit::Outcome;
use crate::output::bytes;

/// Print or write the manual pages
///
/// Prints hookhouse(1), or writes it and a page for each command into a folder: `hookhouse man --dir
/// /usr/local/share/man/man1`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write every page into this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut program = crate::Cli::command();
    program.build();
    match &args.dir {
        None => Ok(bytes(&page(&program, "hookhouse")?)?),
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            let written = write(&program, "hookhouse", folder)?;
            anstream::eprintln!("{written} pages in {}", folder.display());
            Ok(())
        }
    }
}

/// Writes a command's page and those of the commands under it.
fn write(command: &clap::Command, name: &str, folder: &Path) -> std::io::Result<usize> {
    std::fs::write(folder.join(format!("{name}.1")), page(command, name)?)?;
    let mut written = 1;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        written += write(sub, &format!("{name}-{}", sub.get_name()), folder)?;
    }
    Ok(written)
}

fn page(command: &clap::Command, name: &str) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone().display_name(name.to_owned())).title(name.to_uppercase()).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let mut program = crate::Cli::command();
        program.build();
        let written = write(&program, "hookhouse", folder.path()).unwrap();
        assert!(written > 40, "{written}");
        for (name, words) in [
            ("hookhouse.1", "hookhouse\\-doctor(1)"),
            ("hookhouse-events-wait.1", "\\fB\\-\\-timeout\\fR"),
            ("hookhouse-x-webhooks-register.1", "hookhouse\\-x\\-webhooks\\-register"),
        ] {
            let page = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(page.contains(words), "{page}");
        }
    }
}
