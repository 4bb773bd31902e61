//! The sample events of loyalty, vouchers, rewards and referrals, through the path of the Lambda runtime.

use super::events::{STORY, event};
use scrip::invoke::invoke;
use tests::World;

/// The events of rewards and referrals, in sequence; two wallets are open.
pub const REWARDS: [(&str, u16); 11] = [
    ("reward-create", 201),
    ("rewards", 200),
    ("reward-get", 200),
    ("reward-change", 200),
    ("rewards-available", 200),
    ("reward-apply", 201),
    ("reward-claims", 200),
    ("referral-program", 200),
    ("referral-program-change", 200),
    ("referral-apply", 201),
    ("referral-reverse", 200),
];

/// The events of vouchers, in sequence; the customer has points.
pub const VOUCHERS: [(&str, u16); 10] = [
    ("voucher-create", 201),
    ("voucher-codes", 200),
    ("voucher-change", 200),
    ("vouchers", 200),
    ("voucher-get", 200),
    ("voucher-buy", 201),
    ("vouchers-bought", 200),
    ("voucher-purchase", 200),
    ("voucher-reveal", 200),
    ("voucher-refund", 200),
];

/// The events of the loyalty of two customers, in sequence, each with the expected status.
pub const LOYALTY: [(&str, u16); 38] = [
    ("loyalty-program", 200),
    ("loyalty-program-change", 200),
    ("loyalty-program-later", 200),
    ("loyalty-program-withdraw", 204),
    ("loyalty-program-versions", 200),
    ("loyalty-tiers", 200),
    ("loyalty-campaign", 201),
    ("loyalty-campaigns", 200),
    ("loyalty-campaign-get", 200),
    ("loyalty-campaign-change", 200),
    ("loyalty-campaign-stop", 200),
    ("loyalty-campaign-versions", 200),
    ("loyalty-simulate", 200),
    ("loyalty-earn", 201),
    ("loyalty-adjust", 201),
    ("loyalty-transfer", 201),
    ("loyalty-wallet", 200),
    ("loyalty-quote", 200),
    ("loyalty-redeem", 201),
    ("loyalty-redemption", 200),
    ("loyalty-confirm", 200),
    ("loyalty-confirm-by-wallet", 200),
    ("loyalty-redeem-again", 201),
    ("loyalty-release", 200),
    ("loyalty-release-by-wallet", 200),
    ("loyalty-refund", 201),
    ("loyalty-refund-fail", 200),
    ("loyalty-cancel", 200),
    ("loyalty-purchase", 200),
    ("loyalty-transactions", 200),
    ("loyalty-expiring", 200),
    ("loyalty-tier", 200),
    ("loyalty-tier-history", 200),
    ("loyalty-freeze", 200),
    ("loyalty-unfreeze", 200),
    ("loyalty-members", 200),
    ("loyalty-report", 200),
    ("loyalty-health", 200),
];

#[tokio::test]
async fn every_event_of_loyalty_is_answered_through_the_adapter() {
    let world = World::new().await;
    for (name, status) in LOYALTY.into_iter().chain(VOUCHERS) {
        let answer = invoke(&world.parts, "loyalty", &event(name)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name} {answer}");
    }
    assert_eq!(world.standing("cust_123").await, [235, 0, 0, 0], "490 and 100, less 10, 100 and half of 490");
    world.clock.advance_days(400);
    let swept = invoke(&world.parts, "expire-credits", &event("expire-credits-schedule")).await.unwrap();
    assert!(swept["entries"].as_u64().unwrap() >= 2, "{swept}");
    assert_eq!(world.standing("cust_123").await, [0, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn every_event_of_rewards_and_referrals_is_answered_through_the_adapter() {
    let world = World::new().await;
    for (name, status) in &STORY[..2] {
        let answer = invoke(&world.parts, "wallet", &event(name)).await.unwrap();
        assert_eq!(answer["statusCode"], *status);
    }
    let (_, _, before) = world.balances("cust_123").await;
    for (name, status) in REWARDS {
        let answer = invoke(&world.parts, "rewards", &event(name)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name} {answer}");
        // A claim and a referral again change nothing.
        if ["reward-apply", "referral-apply", "referral-reverse"].contains(&name) {
            let again = invoke(&world.parts, "rewards", &event(name)).await.unwrap();
            assert_eq!(again["body"], answer["body"]);
        }
    }
    assert_eq!(world.types("cust_123").await.iter().filter(|kind| *kind == "CREDIT").count(), 3);
    assert_eq!(world.balances("cust_123").await.2, before);
    world.prove().await;
}
