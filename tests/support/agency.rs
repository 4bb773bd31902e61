//! An agency with a client and a campaign, a brand, and a pool: everything that a card is issued on.
//!
//! **Invariant:** every default is loud: names and amounts say where they come from.

use crate::answer::Answer;
use crate::shop::Shop;
use crate::{World, admin, service};
use store::RetryPolicy;

/// The accounts and the brand of one test.
pub struct Agency {
    /// The world, with fake suppliers.
    pub shop: Shop,
    /// The agency.
    pub agency: String,
    /// Its client.
    pub client: String,
    /// The client's campaign.
    pub campaign: String,
    /// A brand with cards of 25 and 50.
    pub brand: String,
    /// A CSV pool of cards of 25.
    pub pool: String,
}

/// A backend that has cards issued.
pub fn issuer() -> crate::Caller {
    service("giftcard:provision")
}

impl Agency {
    /// An agency with 1000, its client with 500, an isolated campaign with `budget`, and `cards` cards of 25.
    pub async fn new(budget: &str, cards: usize) -> Self {
        Self::with(budget, cards, (r#""budget_mode":"isolated""#, ""), RetryPolicy::default()).await
    }

    /// The same, with more said of campaign and brand.
    pub async fn with(
        budget: &str,
        cards: usize,
        (campaign_fields, brand_fields): (&str, &str),
        retry_policy: RetryPolicy,
    ) -> Self {
        let shop = Shop::configured(&[], retry_policy).await;
        let world = &shop.world;
        let agency = open(world, "agency", "platform", "").await;
        let client = open(world, "client", &agency, "").await;
        let campaign = open(world, "campaign", &client, campaign_fields).await;
        let more = if brand_fields.is_empty() { String::new() } else { format!(",{brand_fields}") };
        let brand = format!(r#"{{"name":"Coffee","denominations":[25,50]{more}}}"#);
        let brand =
            world.post(&admin(), "/api/gift-cards/brands", &brand).await.expect(201).text("/brand_id");
        let pool = a_pool(world, &brand, "csv").await;
        let this = Self { shop, agency, client, campaign, brand, pool };
        this.stock("c", cards).await;
        this.fund(budget).await;
        this
    }

    /// The world.
    pub fn world(&self) -> &World {
        &self.shop.world
    }

    /// Puts cards of 25 into the pool: `<prefix>-000001`, …
    pub async fn stock(&self, prefix: &str, cards: usize) {
        if cards > 0 {
            let path = format!("/api/gift-cards/pools/{}/cards", self.pool);
            let answer = self.world().post_csv(&admin(), &path, &file(prefix, cards)).await.expect(200);
            assert_eq!(answer.field("/accepted"), cards, "{}", answer.body);
        }
    }

    /// Gives the campaign (of a shared one, the client) this much.
    pub async fn fund(&self, budget: &str) {
        if budget.is_empty() {
            return;
        }
        let world = self.world();
        allocate(world, "platform", &self.agency, budget).await;
        allocate(world, &self.agency, &self.client, budget).await;
        let path = format!("/api/credit/accounts/{}", self.campaign);
        if world.get(&admin(), &path).await.text("/budget_mode") == "isolated" {
            allocate(world, &self.client, &self.campaign, budget).await;
        }
    }

    /// What a backend sends to have a card of 25 issued.
    pub fn provision_body(&self, code: &str) -> String {
        let (campaign, brand) = (&self.campaign, &self.brand);
        format!(
            r#"{{"campaign_id":"{campaign}","brand_id":"{brand}","denomination":25,"redemption_code":"{code}"}}"#
        )
    }

    /// Has a card of 25 issued.
    pub async fn provision(&self, code: &str) -> Answer {
        self.world().post(&issuer(), "/api/gift-cards/provision", &self.provision_body(code)).await
    }

    /// A supplier's webhook about a reference.
    pub async fn webhook(&self, supplier: &str, reference: &str, forged: bool) -> Answer {
        let (path, headers, body) = self.shop.fakes.supplier_webhook(supplier, reference);
        let mut request = http::Request::post(path).header("content-type", "application/json");
        for (name, value) in headers {
            let value = if forged && name.contains("signature") {
                let last = if value.ends_with('0') { "1" } else { "0" };
                format!("{}{last}", &value[..value.len() - 1])
            } else {
                value
            };
            request = request.header(name, value);
        }
        self.world().send(None, request.body(axum::body::Body::from(body)).unwrap()).await
    }

    /// The account, as an admin sees it.
    pub async fn account(&self, id: &str) -> Answer {
        self.world().get(&admin(), &format!("/api/credit/accounts/{id}")).await.expect(200)
    }

    /// Available, reserved and spent of an account.
    pub async fn figures(&self, id: &str) -> [String; 3] {
        let account = self.account(id).await;
        [account.raw("available"), account.raw("reserved"), account.raw("spent")]
    }
}

/// A file of cards.
pub fn file(prefix: &str, cards: usize) -> String {
    let lines: String = (1..=cards).map(|n| format!("{prefix}-{n:06},{n:010},{:04}\n", n % 10_000)).collect();
    format!("code,number,pin\n{lines}")
}

/// Opens an account; gives its id.
pub async fn open(world: &World, kind: &str, parent: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    let body = format!(r#"{{"kind":"{kind}","parent_id":"{parent}","name":"The {kind}"{more}}}"#);
    world.post(&admin(), "/api/credit/accounts", &body).await.expect(201).text("/account_id")
}

/// A pool of cards of 25 that had cost 20 each.
pub async fn a_pool(world: &World, brand: &str, kind: &str) -> String {
    let body = format!(
        r#"{{"brand_id":"{brand}","denomination":25,"pool_type":"{kind}","cost_per_card":20,"low_stock_threshold":3}}"#
    );
    world.post(&admin(), "/api/gift-cards/pools", &body).await.expect(201).text("/pool_id")
}

/// Gives credit to a child.
pub async fn allocate(world: &World, from: &str, to: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":{amount}}}"#);
    world.post(&admin(), "/api/credit/allocate", &body).await.expect(201)
}
