//! The file that holds the master key: 0600, there as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::ids;
use crate::secret::Secret;

/// More is no key.
const MOST: u64 = 64 * 1024;

/// Reads the key.
pub(super) fn read(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    File::open(path)?.take(MOST).read_to_string(&mut text)?;
    Ok(Secret::from(text))
}

/// Writes a key into a file that is not there yet, and returns the key that stands there: of several processes at once,
/// the first one's. It is written beside and linked into place, so that nobody ever reads half a key.
pub(super) fn make(path: &Path, key: &Secret) -> io::Result<Secret> {
    let beside = path.with_extension(format!("new-{}", ids::uuid()));
    let placed = write(&beside, key).and_then(|()| match fs::hard_link(&beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let removed = fs::remove_file(&beside);
    placed?;
    removed?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?; // the name too survives a power cut
    }
    read(path)
}

fn write(path: &Path, key: &Secret) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(key.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_stands_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert_eq!(make(&path, &Secret::from("one".to_owned())).unwrap().expose(), "one\n");
        assert_eq!(make(&path, &Secret::from("two".to_owned())).unwrap().expose(), "one\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
