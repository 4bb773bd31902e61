//! Wiring: builds a function from its configuration, again whenever its secrets have changed.
//!
//! **Invariant:** business time comes from the machine's clock here and nowhere else.
//! **Invariant:** secrets are read at start-up and, while the function is used, again every
//! `SCRIP_SECRETS_SECONDS`. If they cannot be read or used, the function continues with those it has.

use crate::app::{App, Clock};
use crate::configuration::{language, policy};
use crate::cursor::CursorKey;
use crate::secrets::Secrets;
use domain::time::Timestamp;
use futures::lock::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::{HttpClient, Settings, Store, StoreError, connect, https};

pub use crate::configuration::{
    ConfigError, Configuration, claim_names, credentials, number, optional, other_endpoint, required,
};

/// Seconds after which secrets are read again, unless the configuration says otherwise.
const SECRETS_SECONDS: u32 = 300;

/// Time that a request waits for changed secrets.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time after which secrets that could not be read are read again.
const RETRY: Duration = Duration::from_secs(30);

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis).unwrap_or_else(|| Timestamp::end_of(domain::time::Date::MIN))
    }
}

/// Builds an app from the environment and the given parts.
pub fn app(
    settings: Settings,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    cursors: CursorKey,
) -> Result<App, ConfigError> {
    let table = optional("SCRIP_TABLE").unwrap_or_else(|| "scrip".to_owned());
    app_over(Store::new(connect(settings, http), table), clock, cursors)
}

fn app_over(store: Store, clock: Arc<dyn Clock>, cursors: CursorKey) -> Result<App, ConfigError> {
    Ok(App {
        store,
        clock,
        policy: Arc::new(policy()?),
        cursors,
        claims: Arc::new(claim_names()),
        expiry_history_days: number("SCRIP_EXPIRY_HISTORY_DAYS")?.filter(|days| *days > 0),
        language: language()?,
    })
}

/// Returns the name under which this function is deployed: that of its stack, a hyphen, and its own.
pub(crate) fn deployed_name(own: &str) -> String {
    optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| own.to_owned())
}

/// What a function is built from.
pub struct Parts {
    /// Table, clock and business rules.
    pub app: App,
    /// Settings and secrets.
    pub configuration: Configuration,
}

/// Why a function cannot be built.
pub type BuildError = lambda_http::Error;

/// A function that is built again when its secrets have changed.
pub struct Function<T, B> {
    build: B,
    store: Store,
    secrets: Option<Secrets>,
    interval: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    built: T,
    configuration: Configuration,
    read_at: Instant,
}

impl<T: Clone, B: AsyncFn(Parts) -> Result<T, BuildError>> Function<T, B> {
    /// Builds a Lambda function. Reads its secrets and, at the same time, opens the connection to the table by
    /// one read, so that the first request is not delayed by it.
    pub async fn start(build: B) -> Result<Self, BuildError> {
        let endpoint = optional("AWS_ENDPOINT_URL_DYNAMODB");
        let (region, credentials) = (required("AWS_REGION")?, credentials()?);
        let settings = Settings { region, credentials, endpoint, attempt_timeout: Duration::from_secs(3) };
        let (http, table) = (https()?, optional("SCRIP_TABLE").unwrap_or_else(|| "scrip".to_owned()));
        let store = Store::new(connect(settings, http.clone()), table);
        let secrets = Secrets::of_environment(http)?;
        let interval = number("SCRIP_SECRETS_SECONDS")?.unwrap_or(SECRETS_SECONDS);
        let read = async || match &secrets {
            Some(secrets) => secrets.read().await,
            None => Ok(Configuration::default()),
        };
        let (primed, configuration) = futures::join!(store.ping(), read());
        match primed {
            Ok(()) => {}
            Err(error @ StoreError::Unreachable(_)) => {
                tracing::error!(%error, "the table cannot be reached: check endpoint, network and certificates");
            }
            Err(error) => tracing::warn!(%error, "the table does not answer yet"),
        }
        Self::with(build, store, secrets, Duration::from_secs(interval.into()), configuration?).await
    }

    /// Builds a function with this configuration.
    pub async fn with(
        build: B,
        store: Store,
        secrets: Option<Secrets>,
        interval: Duration,
        configuration: Configuration,
    ) -> Result<Self, BuildError> {
        let first = build(parts(&store, &configuration)?).await?;
        let state = Mutex::new(State { built: first, configuration, read_at: Instant::now() });
        Ok(Self { build, store, secrets, interval, state })
    }

    /// Returns the function as built from the newest secrets that were read.
    pub async fn current(&self) -> T {
        let mut state = self.state.lock().await;
        if let Some(secrets) = self.secrets.as_ref().filter(|_| state.read_at.elapsed() >= self.interval) {
            state.read_at = Instant::now();
            let refreshed = tokio::time::timeout(PATIENCE, self.refresh(secrets, &mut state)).await;
            if let Err(error) = refreshed.unwrap_or_else(|_| Err("they are not answered".into())) {
                tracing::error!(%error, "the secrets cannot be used; the previous ones stay in use");
                // Reads again after `RETRY`, unless the interval is shorter.
                let wait = self.interval.saturating_sub(RETRY);
                state.read_at = state.read_at.checked_sub(wait).unwrap_or(state.read_at);
            }
        }
        state.built.clone()
    }

    async fn refresh(&self, secrets: &Secrets, state: &mut State<T>) -> Result<(), BuildError> {
        let configuration = secrets.read().await?;
        if !configuration.is(&state.configuration) {
            state.built = (self.build)(parts(&self.store, &configuration)?).await?;
            state.configuration = configuration;
            tracing::info!("the function uses changed secrets");
        }
        Ok(())
    }
}

fn parts(store: &Store, configuration: &Configuration) -> Result<Parts, ConfigError> {
    let app = app_over(store.clone(), Arc::new(SystemClock), configuration.cursor_key()?)?;
    Ok(Parts { app, configuration: configuration.clone() })
}
