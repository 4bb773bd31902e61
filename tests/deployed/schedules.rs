//! The scheduled functions, invoked as their schedules invoke them.

use tests::{Shop, unique};

#[tokio::test]
async fn the_sweep_and_the_monitor_run_and_say_what_they_did() {
    let shop = Shop::shared().await;
    let owner = unique("cust");
    shop.world.open_wallet(&owner, "25").await;
    let swept = shop.world.run("expire-credits").await;
    assert!(swept["failed"] == 0, "{swept}");
    let watched = shop.world.run("monitor").await;
    assert!(watched.as_object().is_some_and(|summary| !summary.is_empty()), "{watched}");
    shop.world.expect_available(&owner, "25.00").await;
    shop.world.prove().await;
}
