//! Reads secrets from AWS Secrets Manager.
//!
//! **Invariant:** a secret's value is never in the function's environment, where everybody who may read the
//! function's configuration would see it.

use crate::configuration::{ConfigError, Configuration, credentials, optional, required};
use aws::{Service, Settings};
use futures::future::try_join_all;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::HttpClient;

/// The secrets of a function.
pub struct Secrets {
    service: Service,
    ids: Vec<String>,
}

impl Secrets {
    /// Returns the secrets that `SCRIP_SECRETS` names; None if it names none.
    pub(crate) fn of_environment(http: HttpClient) -> Result<Option<Self>, ConfigError> {
        let Some(ids) = optional("SCRIP_SECRETS") else { return Ok(None) };
        let settings = Settings {
            service: "secretsmanager",
            region: required("AWS_REGION")?,
            endpoint: optional("AWS_ENDPOINT_URL_SECRETSMANAGER"),
            credentials: credentials()?,
        };
        Ok(Some(Self::new(Service::new(settings, http), ids.split(',').map(str::to_owned).collect())))
    }

    /// Returns the secrets with these ids (ARNs or names).
    pub fn new(service: Service, ids: Vec<String>) -> Self {
        Self { service, ids }
    }

    /// Reads the current values of all secrets, at once.
    pub async fn read(&self) -> Result<Configuration, ConfigError> {
        let values = try_join_all(self.ids.iter().map(|id| self.read_one(id))).await?;
        Ok(Configuration::with_secrets(values.into_iter().flatten().collect()))
    }

    async fn read_one(&self, id: &str) -> Result<BTreeMap<String, SecretString>, ConfigError> {
        #[derive(Deserialize)]
        struct Read {
            #[serde(rename = "SecretString")]
            text: String,
        }
        let failed = |what: &dyn std::fmt::Display| ConfigError::new(format!("the secret {id}: {what}"));
        let read = self.service.call::<Read>("secretsmanager.GetSecretValue", &json!({"SecretId": id})).await;
        let text = read.map_err(|error| failed(&error))?.text;
        let fields: BTreeMap<String, Value> =
            serde_json::from_str(&text).map_err(|_| failed(&"is not a JSON object"))?;
        let field = |(name, value): (String, Value)| match value {
            Value::String(value) => Ok((format!("SCRIP_{}", name.to_uppercase()), value.into())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(failed(&format!("its field {name} is not text")))
            }
        };
        fields.into_iter().map(field).collect()
    }
}
