//! Taking a secret from standard input or from a file, never from the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::secret::Secret;

/// More is no secret.
const MOST: u64 = 64 * 1024;

/// Reads standard input to its end.
pub(super) fn from_stdin(what: &str) -> anyhow::Result<Secret> {
    read(io::stdin().lock(), what).with_context(|| format!("the {what} cannot be read from standard input"))
}

/// Reads a file; `-` is standard input.
pub(super) fn from_file(path: &Path, what: &str) -> anyhow::Result<Secret> {
    if path == Path::new("-") {
        return from_stdin(what);
    }
    File::open(path)
        .map_err(anyhow::Error::from)
        .and_then(|file| read(file, what))
        .with_context(|| format!("the {what} cannot be read from {}", path.display()))
}

/// One line end at the end belongs to the editor, not to the secret.
fn read(source: impl Read, what: &str) -> anyhow::Result<Secret> {
    let mut text = String::new();
    source.take(MOST).read_to_string(&mut text)?;
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    let length = trimmed.strip_suffix('\r').unwrap_or(trimmed).len();
    text.truncate(length);
    if text.is_empty() {
        bail!("it is empty; give the {what} as the whole input");
    }
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_one_line_end_is_taken_off() {
        for (given, meant) in [
            ("s", "s"),
            ("s\n", "s"),
            ("s\r\n", "s"),
            ("s\n\n", "s\n"),
            (" s ", " s "),
        ] {
            assert_eq!(super::read(given.as_bytes(), "secret").unwrap().expose(), meant);
        }
        assert!(super::read("\n".as_bytes(), "secret").is_err());
    }
}
