//! What Nacos' replies mean. 3.x wraps everything into `{code, message, data}` (a missing document
//! may have status 200 and code 20004); 2.x answers bare, and with sentences where it fails.

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::center::nacos::error::Kind;
use crate::center::nacos::http::Reply;
use crate::center::nacos::{Document, LARGEST, Operation, Row, Version};

const MISSING: i64 = 20004;
const CONFLICT: i64 = 20005;
/// What both versions say about a lost compare-and-swap, with or without a code.
const LOST: &str = "Cas publish fail";

#[derive(Deserialize)]
struct Envelope<T> {
    code: i64,
    data: Option<T>,
}

#[derive(Deserialize)]
struct Config {
    content: Option<String>,
    md5: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    pages_available: u32,
    page_items: Vec<Item>,
}

/// A row of the history; 3.x has milliseconds, 2.x a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    op_type: String,
    src_user: Option<String>,
    src_ip: Option<String>,
    modify_time: Option<i64>,
    last_modified_time: Option<Timestamp>,
    content: Option<String>,
}

/// The current document as clients are given it.
pub(super) fn content(version: Version, reply: Reply) -> Result<Option<String>, Kind> {
    let config = match version {
        Version::V3 => data(&reply)?,
        Version::V2 if reply.status == StatusCode::NOT_FOUND && is_no_page(&reply) => None,
        Version::V2 => Some(bare(reply)?),
    };
    Ok(config
        .map(check)
        .transpose()?
        .map(|document| document.content))
}

/// The current document as the database has it.
pub(super) fn document(version: Version, reply: &Reply) -> Result<Option<Document>, Kind> {
    let config = match version {
        Version::V3 => data(reply)?,
        Version::V2 => json_or_nothing(reply)?,
    };
    config.map(check).transpose()
}

/// Whether a publish or a deletion was done.
pub(super) fn done(version: Version, reply: &Reply) -> Result<(), Kind> {
    let done = match version {
        Version::V3 => data::<bool>(reply)?,
        Version::V2 => json_or_nothing::<bool>(reply)?,
    };
    match done {
        Some(true) => Ok(()),
        // Only a lost compare-and-swap is answered so.
        _ => Err(Kind::Conflict),
    }
}

/// Whether there is a namespace of this id: how many there are in 3.x, yes or no in 2.x.
pub(super) fn is_there(version: Version, reply: &Reply) -> Result<bool, Kind> {
    Ok(match version {
        Version::V3 => data::<i64>(reply)?.is_some_and(|count| count > 0),
        Version::V2 => json_or_nothing(reply)?.unwrap_or(false),
    })
}

/// One page of the history, newest first, and how many pages there are.
pub(super) fn rows(version: Version, reply: &Reply) -> Result<(Vec<Row>, u32), Kind> {
    let page: Option<Page> = match version {
        Version::V3 => data(reply)?,
        Version::V2 => json_or_nothing(reply)?,
    };
    let Some(page) = page else {
        return Ok((Vec::new(), 0));
    };
    let rows = page
        .page_items
        .into_iter()
        .map(row)
        .collect::<Result<_, _>>()?;
    Ok((rows, page.pages_available))
}

/// The content of one row. 3.x answers 400 when there is no such row.
pub(super) fn row_content(version: Version, reply: &Reply) -> Result<Option<String>, Kind> {
    let item: Option<Item> = match version {
        Version::V3 if reply.status == StatusCode::BAD_REQUEST => None,
        Version::V3 => data(reply)?,
        Version::V2 => json_or_nothing(reply)?,
    };
    Ok(item.and_then(|item| item.content))
}

/// The `data` of a reply of 3.x; nothing if what was asked for is missing.
fn data<T: DeserializeOwned>(reply: &Reply) -> Result<Option<T>, Kind> {
    match code(&reply.body) {
        Some(0) if reply.status.is_success() => {
            let envelope: Envelope<T> = parse(&reply.body)?;
            Ok(envelope.data)
        }
        Some(MISSING) => Ok(None),
        _ => Err(refused(reply)),
    }
}

/// Whether a reply is one of 3.x.
pub(super) fn has_code(reply: &Reply) -> bool {
    code(&reply.body).is_some()
}

/// Whether the server does not know the path, because another version has taken its place.
pub(super) fn is_other_version(reply: &Reply) -> bool {
    match reply.status {
        StatusCode::GONE => true,
        StatusCode::NOT_FOUND => !has_code(reply) && !is_no_page(reply),
        _ => false,
    }
}

fn code(body: &[u8]) -> Option<i64> {
    let envelope: Envelope<serde::de::IgnoredAny> = serde_json::from_slice(body).ok()?;
    Some(envelope.code)
}

/// A reply of 2.x; nothing where it is empty.
fn json_or_nothing<T: DeserializeOwned>(reply: &Reply) -> Result<Option<T>, Kind> {
    if !reply.status.is_success() {
        return Err(refused(reply));
    }
    if reply.body.trim_ascii().is_empty() {
        return Ok(None);
    }
    parse(&reply.body).map(Some)
}

/// A document of 2.x is the body; its digest is a header.
fn bare(reply: Reply) -> Result<Config, Kind> {
    if !reply.status.is_success() {
        return Err(refused(&reply));
    }
    let md5 = reply
        .headers
        .get("content-md5")
        .and_then(|md5| md5.to_str().ok());
    let Some(md5) = md5.map(str::to_owned) else {
        return Err(Kind::Unintelligible(
            "a document without its digest".to_owned(),
        ));
    };
    let content = String::from_utf8(reply.body)
        .map_err(|_| Kind::Unintelligible("a document that is not UTF-8".to_owned()))?;
    Ok(Config {
        content: Some(content),
        md5: Some(md5),
    })
}

fn check(config: Config) -> Result<Document, Kind> {
    let content = config.content.filter(|content| !content.trim().is_empty());
    let content = content.ok_or(Kind::Blank)?;
    if content.len() as u64 > LARGEST.get() {
        return Err(Kind::TooLarge(LARGEST));
    }
    let md5 = md5_of(&content);
    match config.md5 {
        Some(told) if !told.is_empty() && told != md5 => Err(Kind::Corrupt),
        _ => Ok(Document { content, md5 }),
    }
}

/// Lower-case hex, as Nacos has it.
pub(super) fn md5_of(content: &str) -> String {
    let digest = Md5::digest(content.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn row(item: Item) -> Result<Row, Kind> {
    let of_millis = || Timestamp::from_millisecond(item.modify_time?).ok();
    Ok(Row {
        at: item
            .last_modified_time
            .or_else(of_millis)
            .unwrap_or(Timestamp::UNIX_EPOCH),
        operation: match item.op_type.trim() {
            "I" => Operation::Insert,
            "U" => Operation::Update,
            "D" => Operation::Delete,
            other => {
                let message = format!("a row of the history with operation `{other}`");
                return Err(Kind::Unintelligible(message));
            }
        },
        id: item.id,
        user: item.src_user.filter(|user| !user.is_empty()),
        address: item.src_ip.filter(|address| !address.is_empty()),
    })
}

/// A reply that does not do what was asked.
pub(super) fn refused(reply: &Reply) -> Kind {
    let text = String::from_utf8_lossy(&reply.body);
    if text.contains(LOST) || code(&reply.body) == Some(CONFLICT) {
        return Kind::Conflict;
    }
    match reply.status.as_u16() {
        status if reply.status.is_success() => {
            Kind::Unintelligible(format!("status {status}, {}", message(&text)))
        }
        status => Kind::Failed {
            status,
            message: message(&text),
        },
    }
}

/// Whether a 404 of 2.x means a document, and not a path that it does not have.
fn is_no_page(reply: &Reply) -> bool {
    reply.body.starts_with(b"config data not exist")
}

/// The sentences of an answer, in one line and not too long.
pub(super) fn message(text: &str) -> String {
    #[derive(Deserialize)]
    struct Told {
        message: Option<String>,
        error: Option<String>,
        data: Option<String>,
    }
    let told = serde_json::from_str::<Told>(text).ok().map(|told| {
        let parts = [told.message, told.error, told.data];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    });
    let told = told.unwrap_or_else(|| text.to_owned());
    let mut words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.len() > 200 {
        words.truncate(words.floor_char_boundary(200));
        words.push('…');
    }
    if words.is_empty() {
        words.push_str("without a word");
    }
    words
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Kind> {
    serde_json::from_slice(body).map_err(|error| Kind::Unintelligible(error.to_string()))
}

#[cfg(test)]
mod tests;
