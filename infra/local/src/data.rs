//! The data directory: database, keys, test clock, and the addresses of the running platform.
//!
//! **Invariant:** `platform.json` is valid only if the process that it names answers at the address
//! that it names.

use crate::Failure;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Data directory of a platform.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Addresses and process of a running platform.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// URL of the API.
    pub api: String,
    /// URL of DynamoDB.
    pub dynamodb: String,
    /// Process id.
    pub pid: u32,
}

impl DataDir {
    /// Opens the directory; creates it if it does not exist, readable only by its owner.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Opens the directory of a platform that has run before; returns an error instead of creating
    /// a directory.
    pub fn of_platform(path: &Path) -> Result<Self, Failure> {
        if !path.join("jwt-key.pem").exists() {
            return Err(
                format!("no platform has run in {}; start one with: cargo run", path.display()).into()
            );
        }
        Self::open(path)
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of a file in the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file atomically.
    pub fn write(&self, name: &str, content: &str) -> Result<(), Failure> {
        let scratch = self.file(&format!(".{name}.{}", std::process::id()));
        write_private(&scratch, content)?;
        std::fs::rename(&scratch, self.file(name))?;
        Ok(())
    }

    /// Reads a file; creates it if it does not exist. If several processes try, the first one
    /// creates it.
    pub fn read_or_make(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        let path = self.file(name);
        if !path.exists() {
            let scratch = self.file(&format!(".{name}.{}", std::process::id()));
            write_private(&scratch, &make()?)?;
            // Linking fails if another process has created the file first; its content is then
            // used.
            let _ = std::fs::hard_link(&scratch, &path);
            std::fs::remove_file(&scratch)?;
        }
        Ok(std::fs::read_to_string(path)?)
    }

    /// Removes the addresses of the platform, if they belong to the process `pid`.
    pub fn forget(&self, pid: u32) {
        let text = std::fs::read_to_string(self.file("platform.json")).unwrap_or_default();
        if serde_json::from_str::<Running>(&text).is_ok_and(|running| running.pid == pid) {
            let _ = std::fs::remove_file(self.file("platform.json"));
        }
    }

    /// Returns the running platform, if it answers.
    pub async fn running(&self) -> Option<Running> {
        let text = std::fs::read_to_string(self.file("platform.json")).ok()?;
        let running: Running = serde_json::from_str(&text).ok()?;
        let reply =
            gateways::client().ok()?.get(format!("{}/_local/clock", running.api)).send().await.ok()?;
        let reply: serde_json::Value = serde_json::from_str(&reply.text().await.ok()?).ok()?;
        (reply.get("pid")?.as_u64()? == u64::from(running.pid)).then_some(running)
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}
