//! The command line.
//!
//! **Invariant:** every command finds its platform by its data directory, whether or not one is running.

use crate::Failure;
use crate::clock::parse_duration;
use crate::connection::Options;
use crate::data::DataDir;
use crate::fakes::supply::SupplyCommand;
use crate::fakes::trigger::TriggerRequest;
use crate::platform::Platform;
use crate::token::Grant;
use crate::{audit, clock, docs, import, invoke, keys, sample, trigger};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime;

/// Scrip on this machine: stored value behind an HTTP API, over an embedded DynamoDB.
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
    /// Run one function on an event file, through the Lambda runtime's own path.
    Invoke(Invoke),
    /// Make something happen at a fake gateway, and send its webhook: razorpay.payment_captured, stripe.charge_refunded, …
    Trigger(Trigger),
    /// Tell a fake supplier of gift cards what to do with orders, such as slow, out-of-stock or reply-lost.
    Supplier(Supplier),
    /// Put the gift cards of a file into a pool of the running platform.
    Import(Import),
    /// Prove the books; exit 1 on any difference.
    Audit(At),
    /// Replay the sample data through the API of the running platform, under its test clock.
    Sample(Sample),
    /// Write the OpenAPI document to a file.
    Openapi {
        /// Where to.
        file: PathBuf,
    },
}

#[derive(Args, Clone)]
struct At {
    /// The platform's data directory.
    #[arg(long, default_value = ".scrip")]
    data: PathBuf,
}

#[derive(Args)]
struct Serve {
    /// The API's port.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    #[command(flatten)]
    at: At,
    /// Keep nothing: the database lives in memory.
    #[arg(long)]
    memory: bool,
    /// The embedded DynamoDB's port (default: the API's port + 1, or any free one).
    #[arg(long)]
    dynamodb_port: Option<u16>,
}

#[derive(Args)]
struct Token {
    /// customer, staff, admin, agency, client or service.
    #[arg(long)]
    role: String,
    /// The subject; for a customer, the customer's id.
    #[arg(long)]
    sub: Option<String>,
    /// The budget account of an agency or client.
    #[arg(long)]
    account: Option<String>,
    /// What a service may do, such as "wallet:debit wallet:read".
    #[arg(long)]
    scope: Option<String>,
    /// How long the token is valid.
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
    /// Move the clock forward, such as by 30d or "1h 30m".
    Advance {
        /// By how much.
        #[arg(value_parser = parse_duration)]
        by: Duration,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Args)]
struct Invoke {
    /// Its name, such as wallet, order-payment or expire-credits.
    function: String,
    /// The event, as Lambda would get it.
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
    /// The movements to replay.
    #[arg(long, default_value = "infra/local/sample/wallets.csv")]
    file: PathBuf,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
struct Import {
    /// The file: code,number,pin,url,expires_on, of which only code must be there.
    file: PathBuf,
    /// Into which pool.
    #[arg(long)]
    pool: String,
    /// Where the lines are written that were not taken, with why: line,status,detail.
    #[arg(long, default_value = "refused.csv")]
    report: PathBuf,
    #[command(flatten)]
    at: At,
}

impl Cli {
    /// Runs the command; the exit code says whether it succeeded.
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
                edge::telemetry::init_terminal("warn,dynoxide=error");
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
            Self::Import(Import { file, pool, report, at }) => {
                import::run(&DataDir::of_platform(&at.data)?, &file, &pool, &report).await?;
            }
            Self::Sample(wanted) => {
                sample::run(&DataDir::of_platform(&wanted.at.data)?, &wanted.file).await?;
            }
            Self::Openapi { file } => std::fs::write(file, docs::text()?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `clock --data X advance 1d` and `clock advance 1d --data X` mean the same.
fn nearer(inner: At, outer: At) -> At {
    if inner.data.as_os_str() == ".scrip" { outer } else { inner }
}
