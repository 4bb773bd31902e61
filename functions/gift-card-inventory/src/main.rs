//! Runs the gift-card-inventory function in Lambda.

use edge::{Services, lambda};
use gift_card_inventory::InventoryTools;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("gift-card-inventory", async |parts| {
        let tools = InventoryTools { vault: parts.configuration.vault().await? };
        Ok(gift_card_inventory::router(Services { app: parts.app, tools }))
    })
    .await
}
