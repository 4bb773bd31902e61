//! The data directory: the database, the keys, the clock, and where the running platform listens.
//!
//! **Invariant:** `platform.json` is only believed if the process it names answers at the place it names.

use crate::Failure;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A platform's directory.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Where a running platform listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// The API.
    pub api: String,
    /// DynamoDB.
    pub dynamodb: String,
    /// The process.
    pub pid: u32,
}

impl DataDir {
    /// Opens the directory; makes it if need be, readable by its owner alone.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Opens the directory of a platform that has run; a misspelt name is told, not made.
    pub fn of_platform(path: &Path) -> Result<Self, Failure> {
        if !path.join("jwt-key.pem").exists() {
            return Err(
                format!("no platform has run in {}; start one with: cargo run", path.display()).into()
            );
        }
        Self::open(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file whole or not at all.
    pub fn write(&self, name: &str, content: &str) -> Result<(), Failure> {
        let scratch = self.file(&format!(".{name}.{}", std::process::id()));
        write_private(&scratch, content)?;
        std::fs::rename(&scratch, self.file(name))?;
        Ok(())
    }

    /// Reads a file; if there is none, the first of all who try makes it.
    pub fn read_or_make(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        let path = self.file(name);
        if !path.exists() {
            let scratch = self.file(&format!(".{name}.{}", std::process::id()));
            write_private(&scratch, &make()?)?;
            // A link fails if another was quicker; then theirs counts.
            let _ = std::fs::hard_link(&scratch, &path);
            std::fs::remove_file(&scratch)?;
        }
        Ok(std::fs::read_to_string(path)?)
    }

    /// Forgets where the platform listened, if it was this process.
    pub fn forget(&self, pid: u32) {
        let text = std::fs::read_to_string(self.file("platform.json")).unwrap_or_default();
        if serde_json::from_str::<Running>(&text).is_ok_and(|running| running.pid == pid) {
            let _ = std::fs::remove_file(self.file("platform.json"));
        }
    }

    /// The running platform, if it answers.
    pub async fn running(&self) -> Option<Running> {
        let text = std::fs::read_to_string(self.file("platform.json")).ok()?;
        let running: Running = serde_json::from_str(&text).ok()?;
        let reply =
            gateways::client().ok()?.get(format!("{}/_local/clock", running.api)).send().await.ok()?;
        let reply: serde_json::Value = serde_json::from_str(&reply.text().await.ok()?).ok()?;
        (reply.get("pid")?.as_u64()? == u64::from(running.pid)).then_some(running)
    }
}

fn write_private(path: &Path, content: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
