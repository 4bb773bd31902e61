//! The real binaries, built once and run as processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Returns the root directory of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns the path of a workspace binary; the first call builds all of them.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    // Building the whole workspace selects the same features as `cargo test`, so that only linking remains.
    let folder = BUILT.get_or_init(|| build(&["--quiet", "--workspace", "--bins"]));
    folder.join(name)
}

/// Runs `cargo build` and returns the directory of the binaries, which is that of this process's profile.
pub fn build(args: &[&str]) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    // Cargo's variables about this process's own crate would cause crates with build scripts (ring) to be rebuilt.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_")) {
        build.env_remove(name);
    }
    build.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    build.args(["build", "--locked"]).args(args);
    assert!(build.current_dir(root()).status().unwrap().success(), "the binaries do not build");
    // target/debug/deps/scrip-… → target/debug
    std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned()
}

/// A temporary directory that is removed when dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// Creates an empty directory.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("scrip-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `scrip serve` process; killed with SIGKILL when dropped.
pub struct Platform {
    /// Base URL of the API.
    pub api: String,
    /// The child process.
    pub child: Child,
}

impl Platform {
    /// Starts `scrip serve` and waits for its ready line.
    pub fn start(data: &Path) -> Self {
        Self::of(&binary("scrip"), data)
    }

    /// Starts `serve` of this program and waits for its ready line.
    pub fn of(program: &Path, data: &Path) -> Self {
        use std::io::BufRead;
        let mut serve = Command::new(program);
        serve.args(["serve", "--port", "0", "--dynamodb-port", "0", "--data"]).arg(data);
        let mut child = serve.env_remove("AWS_ENDPOINT_URL_DYNAMODB").stdout(Stdio::piped()).spawn().unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let ready =
            lines.map(Result::unwrap).find(|line| line.starts_with("ready: ")).expect("no ready line");
        let api = ready.split_whitespace().nth(1).unwrap().to_owned();
        Self { api, child }
    }

    /// Kills the process with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of the `scrip` binary and returns its exit code and its output (stdout, then stderr).
pub fn scrip(args: &[&str]) -> (i32, String) {
    let mut command = Command::new(binary("scrip"));
    let output = command.args(args).env_remove("AWS_ENDPOINT_URL_DYNAMODB").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}
