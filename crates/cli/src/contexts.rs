//! `hookhouse contexts`: servers elsewhere, by name.

pub(crate) mod book;

use std::path::PathBuf;

use serde::Serialize;

use self::book::{Book, Context, TokenFrom, name};
use crate::Global;
use crate::admin::Line;
use crate::exit::{Code, Failure, Outcome};
use crate::output::Out;

/// Name servers elsewhere, and choose the one that commands ask
///
/// A context is a server's admin API and where its token is; kept in contexts.toml in $XDG_CONFIG_HOME/hookhouse. With
/// `--context NAME`, or after `contexts use NAME`, every command that asks a server asks that one; `--config` wins.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the contexts; the one in use has a star
    Ls,
    /// Add a context, or replace it
    Add {
        /// What to call it
        #[arg(value_parser = name)]
        name: String,
        /// Where the server's admin API is: https://…, or http://127.0.0.1:PORT at the end of a tunnel
        #[arg(long, value_name = "URL")]
        url: String,
        #[command(flatten)]
        token: TokenArgs,
    },
    /// Use a context from now on
    Use {
        /// Which
        #[arg(required_unless_present = "none")]
        name: Option<String>,
        /// Use none: the server of this machine again
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// Forget a context
    Rm {
        /// Which
        name: String,
    },
}

/// Where the token is. It never stands on the command line: other users of the machine can read that.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenArgs {
    /// The environment variable that holds the token
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// The file that holds the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A context as it is listed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    current: bool,
    #[serde(flatten)]
    context: &'a Context,
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let mut book = Book::open()?;
    match command {
        Command::Ls => {
            let mut out = Out::new(global.output);
            for (name, context) in &book.context {
                let current = book.current.as_ref() == Some(name);
                out.entry(&Listed { name, current, context }, |listed| {
                    let mark = if listed.current { '*' } else { ' ' };
                    format!(
                        "{mark} {:<16}  {}  {}",
                        listed.name,
                        listed.context.url,
                        listed.context.token.describe()
                    )
                })?;
            }
            if book.context.is_empty() {
                anstream::eprintln!(
                    "no contexts; `hookhouse contexts add NAME --url URL --token-file FILE` adds one"
                );
            }
            Ok(out.finish()?)
        }
        Command::Add { name, url, token } => {
            Line::to(&url).map_err(|why| Failure::new(Code::Usage, why))?;
            let token = match (token.token_env, token.token_file) {
                (Some(variable), _) => TokenFrom::Env(variable),
                // The command may be given from another folder next time.
                (None, Some(file)) => TokenFrom::File(std::path::absolute(file)?),
                (None, None) => return Err(Failure::new(Code::Usage, "say where the token is")),
            };
            let replaced = book.context.insert(name.clone(), Context { url, token }).is_some();
            book.keep()?;
            let done = if replaced { "replaced" } else { "added" };
            anstream::eprintln!(
                "{done} context {name}; `hookhouse contexts use {name}` makes it the usual one"
            );
            Ok(())
        }
        Command::Use { name, .. } => {
            if let Some(name) = &name {
                book.find(name)?;
            }
            book.current = name;
            book.keep()?;
            match &book.current {
                Some(name) => anstream::eprintln!("commands ask {name} from now on"),
                None => anstream::eprintln!("commands ask the server of this machine from now on"),
            }
            Ok(())
        }
        Command::Rm { name } => {
            book.find(&name)?;
            book.context.remove(&name);
            if book.current.as_ref() == Some(&name) {
                book.current = None;
            }
            book.keep()?;
            anstream::eprintln!("forgot context {name}");
            Ok(())
        }
    }
}
