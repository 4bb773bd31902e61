//! Reads a file of the bucket in chunks of whole lines.
//!
//! **Invariant:** one chunk is in memory, and every chunk is of the file that was first seen.

use crate::Failed;
use aws::{Bucket, Part};

/// Bytes that are read at once.
const READ: u64 = 4 * 1024 * 1024;

/// The longest line, in bytes.
const LONGEST_LINE: usize = 1024 * 1024;

/// A file that is being read.
pub(crate) struct Chunks<'a> {
    files: &'a Bucket,
    key: String,
    etag: String,
    bytes: u64,
    at: u64,
    rest: Vec<u8>,
}

/// The next chunk of a file.
pub(crate) enum Chunk {
    /// Some lines.
    Lines(Vec<u8>),
    /// There is nothing more.
    End,
    /// The file is another one by now.
    Changed,
    /// It has a line that is too long.
    LongLine,
}

impl<'a> Chunks<'a> {
    /// Begins to read a file with this ETag and size.
    pub(crate) fn new(files: &'a Bucket, key: String, (etag, bytes): (&str, u64)) -> Self {
        Self { files, key, etag: etag.to_owned(), bytes, at: 0, rest: vec![] }
    }

    /// Returns the next chunk.
    pub(crate) async fn next(&mut self) -> Result<Chunk, Failed> {
        loop {
            if self.at >= self.bytes {
                let rest = std::mem::take(&mut self.rest);
                return Ok(if rest.is_empty() { Chunk::End } else { Chunk::Lines(rest) });
            }
            let until = self.at.saturating_add(READ).min(self.bytes);
            let Part::Bytes(read) = self.files.part(&self.key, &self.etag, self.at, until).await? else {
                return Ok(Chunk::Changed);
            };
            if u64::try_from(read.len()).ok() != Some(until - self.at) {
                return Ok(Chunk::Changed);
            }
            self.at = until;
            self.rest.extend(read);
            if self.at < self.bytes {
                match lines_end(&self.rest) {
                    Some(end) => {
                        let rest = self.rest.split_off(end);
                        return Ok(Chunk::Lines(std::mem::replace(&mut self.rest, rest)));
                    }
                    None if self.rest.len() > LONGEST_LINE => return Ok(Chunk::LongLine),
                    None => {}
                }
            }
        }
    }
}

/// Returns the length of the whole lines at the beginning; a return at the very end may be followed by a line feed.
fn lines_end(text: &[u8]) -> Option<usize> {
    let before_last = text.len().saturating_sub(1);
    let end = text.iter().enumerate().rposition(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => at < before_last,
        _ => false,
    })?;
    let is_pair = text.get(end) == Some(&b'\r') && text.get(end + 1) == Some(&b'\n');
    Some(if is_pair { end + 2 } else { end + 1 })
}
