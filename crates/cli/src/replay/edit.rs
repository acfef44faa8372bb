//! An event with other bytes: from a file, from arguments, or out of an editor.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use data_encoding::BASE64;
use hookhouse_core::EventId;
use hookhouse_server::admin::view::{EditRequest, EventDetail};

use crate::admin::{Client, Reader};
use crate::exit::{Code, Failure};
use crate::offline;

/// Other bytes than the stored ones. The event stays as it is, and the delivery says that it is edited.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Editing {
    /// Change the body in an editor first ($VISUAL, $EDITOR)
    #[arg(long, conflicts_with = "body")]
    edit: bool,
    /// Send this body instead: a file, or - for stdin
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Send this header instead, `Name: value`; `Name:` leaves it out; again for each
    #[arg(long = "header", short = 'H', value_parser = offline::header, value_name = "HEADER")]
    headers: Vec<(String, String)>,
}

impl Editing {
    /// Whether anything is to be edited.
    pub(super) fn is_wanted(&self) -> bool {
        self.edit || self.body.is_some() || !self.headers.is_empty()
    }

    /// The edit of an event.
    pub(super) async fn of(
        &self,
        id: EventId,
        client: &Client,
        reader: &Reader,
    ) -> Result<EditRequest, Failure> {
        let body = match &self.body {
            Some(from) => Some(offline::body(Some(from))?),
            None if self.edit => in_an_editor(id, client, reader).await?,
            None => None,
        };
        if body.is_none() && self.headers.is_empty() {
            return Err(Failure::new(Code::Failure, "the body was not changed, so nothing was replayed"));
        }
        let mut request = EditRequest::default();
        for (name, value) in &self.headers {
            if value.is_empty() {
                request.remove_headers.push(name.clone());
            } else {
                request.headers.push((name.clone(), value.clone()));
            }
        }
        match body.map(|body| String::from_utf8(body.to_vec())) {
            Some(Ok(text)) => request.body = Some(text),
            Some(Err(binary)) => request.body_base64 = Some(BASE64.encode(binary.as_bytes())),
            None => {}
        }
        Ok(request)
    }
}

/// The body as somebody leaves it; `None` where it is as it was.
async fn in_an_editor(id: EventId, client: &Client, reader: &Reader) -> Result<Option<Bytes>, Failure> {
    let event: EventDetail = client.read(&format!("events/{id}")).await?;
    let stored = reader.raw(id).await?;
    let (program, arguments) = editor()?;
    // For this user's eyes alone, and gone afterwards.
    let mut file = tempfile::Builder::new().prefix("hookhouse-").suffix(suffix(&event)).tempfile()?;
    file.write_all(&stored)?;
    file.flush()?;
    let mut command = Command::new(&program);
    command.args(arguments).arg(file.path());
    let ended = tokio::task::spawn_blocking(move || command.status()).await?.map_err(|error| {
        Failure::new(Code::Usage, format!("cannot start the editor {}: {error}", program.to_string_lossy()))
    })?;
    if !ended.success() {
        return Err(Failure::new(
            Code::Failure,
            format!("the editor ended with {ended}; nothing was replayed"),
        ));
    }
    // By its name: an editor may have put another file in its place.
    let edited = offline::body(Some(&file.path().to_owned()))?;
    Ok(Some(edited).filter(|edited| *edited != stored))
}

/// The program, and arguments that go before the file.
fn editor() -> Result<(OsString, Vec<String>), Failure> {
    let named = ["VISUAL", "EDITOR"].iter().find_map(|name| {
        let text = std::env::var(name).ok()?;
        let mut words = text.split_whitespace().map(str::to_owned);
        Some((words.next()?.into(), words.collect()))
    });
    named.ok_or_else(|| {
        let hint = "set EDITOR to the editor of your choice, or give the body with --body FILE";
        Failure::new(Code::Usage, hint)
    })
}

/// What an editor tells a language by.
fn suffix(event: &EventDetail) -> &'static str {
    let body = event.event.body.as_deref().unwrap_or_default();
    if body.trim_start().starts_with(['{', '[']) { ".json" } else { ".txt" }
}
