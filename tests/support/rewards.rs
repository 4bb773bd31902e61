//! Rewards and referrals of a test.

use crate::{Answer, World, admin, customer, service};

/// Creates a reward with these fields; returns its id.
pub async fn create_reward(world: &World, fields: &str) -> String {
    let body = format!("{{{fields}}}");
    world.post(&admin(), "/api/wallet/rewards/create", &body).await.expect(201).text("/reward_id")
}

/// Claims a reward as its owner; `more` are further fields of the request.
pub async fn try_claim(world: &World, name: &str, reward: &str, more: &str) -> Answer {
    let body = format!(r#"{{"reward_id":"{reward}"{more}}}"#);
    world.post(&customer(name), &format!("/api/wallet/{name}/rewards/apply"), &body).await
}

/// Claims a reward as its owner.
pub async fn claim(world: &World, name: &str, reward: &str, more: &str) -> Answer {
    try_claim(world, name, reward, more).await.expect(201)
}

/// Registers an order; `more` are further fields of the request.
pub async fn order(world: &World, id: &str, owner: &str, total: u32, more: &str) {
    let body = format!(r#"{{"order_id":"{id}","customer_id":"{owner}","total":{total}{more}}}"#);
    world.post(&service("order:write"), "/api/integration/order", &body).await.expect(201);
}

/// Applies a referral as an admin; `more` are further fields of the request.
pub async fn try_refer(world: &World, referrer: &str, referred: &str, more: &str) -> Answer {
    let body = format!(r#"{{"referrer_id":"{referrer}","referred_id":"{referred}"{more}}}"#);
    world.post(&admin(), "/api/wallet/referral/apply", &body).await
}

/// Applies a referral as an admin.
pub async fn refer(world: &World, referrer: &str, referred: &str) -> Answer {
    try_refer(world, referrer, referred, "").await.expect(201)
}

/// Opens an empty wallet.
pub async fn open(world: &World, name: &str) {
    let body = format!(r#"{{"customer_id":"{name}"}}"#);
    world.post(&admin(), "/api/wallet/create", &body).await.expect(201);
}
