//! The `scrip` command line.
//!
//! **Invariant:** every command finds its platform by the data directory, whether the platform is
//! running or not.

use crate::Failure;
use crate::books::{self, BooksImport};
use crate::clock::parse_duration;
use crate::connection::Options;
use crate::data::DataDir;
use crate::fakes::supply::SupplyCommand;
use crate::fakes::trigger::TriggerRequest;
use crate::platform::Platform;
use crate::token::Grant;
use crate::{audit, clock, docs, import, invoke, keys, sample, trigger};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime;

/// Scrip on this machine: stored value behind an HTTP API, with an embedded DynamoDB.
#[derive(Parser)]
#[command(name = "scrip", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Run the platform (the default).
    Serve(Serve),
    /// Print a token for the API.
    Token(Token),
    /// Show or advance the test clock.
    Clock(Clock),
    /// Run a function on an event from a file, as Lambda does.
    Invoke(Invoke),
    /// Have a fake payment gateway send a webhook, such as razorpay.payment_captured or
    /// stripe.charge_refunded.
    Trigger(Trigger),
    /// Set how a fake supplier of gift cards handles orders, such as slow, out-of-stock or
    /// reply-lost.
    Supplier(Supplier),
    /// Import a file into the running platform: gift cards into a pool, or accounts of another system.
    Import(Import),
    /// Export wallets, accounts, transactions or redemptions of the running platform to a file.
    Export(Export),
    /// Prove the books; the exit code is 1 if there is any difference.
    Audit(At),
    /// Replay the sample data through the API of the running platform, advancing its test clock.
    Sample(Sample),
    /// Write the OpenAPI document to a file.
    Openapi {
        /// The file to write.
        file: PathBuf,
    },
}

#[derive(Args, Clone)]
struct At {
    /// Data directory of the platform.
    #[arg(long, default_value = ".scrip")]
    data: PathBuf,
}

#[derive(Args)]
struct Serve {
    /// Port of the API.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    #[command(flatten)]
    at: At,
    /// Keep the database in memory; nothing is stored on disk.
    #[arg(long)]
    memory: bool,
    /// Port of the embedded DynamoDB (default: the API's port + 1, or any free port).
    #[arg(long)]
    dynamodb_port: Option<u16>,
}

#[derive(Args)]
struct Token {
    /// Role: customer, staff, admin, agency, client or service.
    #[arg(long)]
    role: String,
    /// Subject; required for a customer: the customer's id.
    #[arg(long)]
    sub: Option<String>,
    /// Budget account of an agency or client.
    #[arg(long)]
    account: Option<String>,
    /// Scopes of a service, such as "wallet:debit wallet:read".
    #[arg(long)]
    scope: Option<String>,
    /// Validity of the token.
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    ttl: Duration,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
struct Clock {
    #[command(subcommand)]
    what: Option<ClockCommand>,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
enum ClockCommand {
    /// Advance the test clock, such as by 30d or "1h 30m".
    Advance {
        /// Duration, such as 30d or "1h 30m".
        #[arg(value_parser = parse_duration)]
        by: Duration,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Args)]
struct Invoke {
    /// Name of the function, such as wallet, order-payment or expire-credits.
    function: String,
    /// File with the event, in the format that Lambda receives.
    event: PathBuf,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
struct Trigger {
    #[command(flatten)]
    wanted: TriggerRequest,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
struct Supplier {
    #[command(flatten)]
    command: SupplyCommand,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
struct Sample {
    /// CSV file of the operations to replay.
    #[arg(long, default_value = "infra/local/sample/wallets.csv")]
    file: PathBuf,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
struct Import {
    /// CSV file: of cards the columns code,number,pin,url,expires_on, of which only code is required.
    file: PathBuf,
    /// Pool that receives the cards.
    #[arg(long, required_unless_present = "kind", conflicts_with_all = ["kind", "dry_run", "skip_expired"])]
    pool: Option<String>,
    /// What is imported in place of cards: wallets, accounts or points.
    #[arg(long)]
    kind: Option<String>,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Leave out credit that has expired.
    #[arg(long)]
    skip_expired: bool,
    /// Where to write the lines that were not accepted, with the reason: line,status,detail.
    #[arg(long, default_value = "refused.csv")]
    report: PathBuf,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
struct Export {
    /// The file to write.
    file: PathBuf,
    /// What is exported: wallets, accounts, transactions or redemptions.
    #[arg(long)]
    kind: String,
    /// The first day of movements, such as 2026-01-31.
    #[arg(long)]
    from: Option<String>,
    /// The last day of movements.
    #[arg(long)]
    to: Option<String>,
    /// Only this customer.
    #[arg(long)]
    customer: Option<String>,
    #[command(flatten)]
    at: At,
}

impl Import {
    async fn run(self) -> Result<ExitCode, Failure> {
        let Self { file, pool, kind, dry_run, skip_expired, report, at } = self;
        let data = DataDir::of_platform(&at.data)?;
        if let Some(pool) = pool {
            import::run(&data, &file, &pool, &report).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let kind = kind.unwrap_or_default();
        let wanted = BooksImport { file: &file, kind: &kind, dry_run, skip_expired, report: &report };
        books::import(&data, wanted).await
    }
}

impl Export {
    async fn run(self) -> Result<ExitCode, Failure> {
        let Self { file, kind, from, to, customer, at } = self;
        let body = json!({"kind": kind, "from": from, "to": to, "customer_id": customer});
        books::export(&DataDir::of_platform(&at.data)?, &file, &body).await
    }
}

impl Cli {
    /// Runs the command; returns its exit code.
    pub fn run(self) -> ExitCode {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let outcome = match runtime {
            Ok(runtime) => runtime.block_on(self.command.unwrap_or(Command::Serve(self.serve)).run()),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(code) => code,
            Err(error) => {
                eprintln!("scrip: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

impl Command {
    async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Serve(serve) => {
                let filter = edge::wiring::optional("RUST_LOG");
                edge::telemetry::init_terminal(filter.as_deref().unwrap_or("warn,dynoxide=error"));
                let Serve { port, at, memory, dynamodb_port } = serve;
                let options = Options { port, data: at.data, memory, dynamodb_port };
                Platform::start(options).await?.run_until_stopped().await?;
            }
            Self::Token(token) => {
                let keys = keys::Keys::open(&DataDir::open(&token.at.data)?)?;
                let Token { role, sub, account, scope, ttl, .. } = token;
                println!(
                    "{}",
                    Grant { role, sub, account, scope, ttl }.sign(&keys, &edge::wiring::claim_names())?
                );
            }
            Self::Clock(command) => {
                let (at, by) = match command.what {
                    Some(ClockCommand::Advance { by, at }) => (nearer(at, command.at), by),
                    None => (command.at, Duration::ZERO),
                };
                println!("{}", clock::advance(&DataDir::of_platform(&at.data)?, by).await?);
            }
            Self::Invoke(invoke) => {
                let event = std::fs::read_to_string(&invoke.event)
                    .map_err(|error| format!("{}: {error}", invoke.event.display()))?;
                let data = DataDir::of_platform(&invoke.at.data)?;
                println!("{}", Box::pin(invoke::run(&data, &invoke.function, &event)).await?);
            }
            Self::Trigger(Trigger { wanted, at }) => {
                println!("{}", trigger::send(&DataDir::of_platform(&at.data)?, &wanted).await?);
            }
            Self::Supplier(Supplier { command, at }) => {
                println!("{}", trigger::supplier(&DataDir::of_platform(&at.data)?, &command).await?);
            }
            Self::Audit(at) => return audit::run(&DataDir::of_platform(&at.data)?).await,
            Self::Import(import) => return Box::pin(import.run()).await,
            Self::Export(export) => return Box::pin(export.run()).await,
            Self::Sample(wanted) => {
                sample::run(&DataDir::of_platform(&wanted.at.data)?, &wanted.file).await?;
            }
            Self::Openapi { file } => std::fs::write(file, docs::text()?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes `clock --data X advance 1d` and `clock advance 1d --data X` equivalent.
fn nearer(inner: At, outer: At) -> At {
    if inner.data.as_os_str() == ".scrip" { outer } else { inner }
}
