//! Runs the loyalty function in Lambda.

use edge::{Services, lambda};
use loyalty::LoyaltyTools;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("loyalty", async |parts| {
        // Points do not depend on the keys of codes: without them, only vouchers are unavailable.
        let vault = match parts.configuration.vault_if_set().await {
            Ok(vault) => vault,
            Err(error) => {
                tracing::error!(%error, "the codes of vouchers cannot be opened");
                vault::Vault::closed()
            }
        };
        let tools = LoyaltyTools { vault };
        Ok(loyalty::router(Services { app: parts.app, tools }))
    })
    .await
}
