//! An agency with a client, a campaign, a brand and a pool: everything that issuing a card needs.
//!
//! **Invariant:** every default is recognizable: a name or an amount shows where it was set.

use crate::answer::Answer;
use crate::shop::Shop;
use crate::{World, admin, patient, service};
use store::RetryPolicy;

/// The accounts, the brand and the pool of one test.
pub struct Agency {
    /// The world, with fake suppliers.
    pub shop: Shop,
    /// Account id of the agency.
    pub agency: String,
    /// Account id of the client, a child of the agency.
    pub client: String,
    /// Account id of the campaign, a child of the client.
    pub campaign: String,
    /// Brand id; the denominations are 25 and 50.
    pub brand: String,
    /// Pool id; a CSV pool of cards of 25.
    pub pool: String,
}

/// Returns a service caller that may provision cards.
pub fn issuer() -> crate::Caller {
    service("giftcard:provision")
}

impl Agency {
    /// Opens an agency, a client and an isolated campaign, allocates `budget` to each level (empty: nothing),
    /// and imports `cards` cards of 25.
    pub async fn new(budget: &str, cards: usize) -> Self {
        Self::with(budget, cards, (r#""budget_mode":"isolated""#, ""), patient()).await
    }

    /// Like [`Agency::new`], with more JSON fields for the campaign and the brand, and a retry policy.
    pub async fn with(
        budget: &str,
        cards: usize,
        (campaign_fields, brand_fields): (&str, &str),
        retry_policy: RetryPolicy,
    ) -> Self {
        Self::at(Shop::configured(&[], retry_policy).await, budget, cards, (campaign_fields, brand_fields))
            .await
    }

    /// Like [`Agency::with`], in this shop.
    pub async fn at(
        shop: Shop,
        budget: &str,
        cards: usize,
        (campaign_fields, brand_fields): (&str, &str),
    ) -> Self {
        let world = &shop.world;
        let agency = open(world, "agency", "platform", "").await;
        let client = open(world, "client", &agency, "").await;
        let campaign = open(world, "campaign", &client, campaign_fields).await;
        let more = if brand_fields.is_empty() { String::new() } else { format!(",{brand_fields}") };
        let brand = format!(r#"{{"name":"Coffee","denominations":[25,50]{more}}}"#);
        let brand =
            world.post(&admin(), "/api/gift-cards/brands", &brand).await.expect(201).text("/brand_id");
        let pool = create_pool(world, &brand, "csv").await;
        let this = Self { shop, agency, client, campaign, brand, pool };
        // Two pools cannot have one card: in a table that tests share, each agency has codes of its own.
        let prefix = if this.world().deployed.is_some() { crate::unique("c") } else { "c".to_owned() };
        this.stock(&prefix, cards).await;
        this.fund(budget).await;
        this
    }

    /// Returns the world.
    pub fn world(&self) -> &World {
        &self.shop.world
    }

    /// Imports cards of 25 into the pool, with the codes `<prefix>-000001`, …
    pub async fn stock(&self, prefix: &str, cards: usize) {
        if cards > 0 {
            let path = format!("/api/gift-cards/pools/{}/cards", self.pool);
            let answer = self.world().post_csv(&admin(), &path, &file(prefix, cards)).await.expect(200);
            assert_eq!(answer.field("/accepted"), cards, "{}", answer.body);
        }
    }

    /// Allocates this much to every level down to the campaign (with a shared budget: down to the client).
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

    /// Returns the body of a request that provisions a card of 25.
    pub fn provision_body(&self, code: &str) -> String {
        let (campaign, brand) = (&self.campaign, &self.brand);
        format!(
            r#"{{"campaign_id":"{campaign}","brand_id":"{brand}","denomination":25,"redemption_code":"{code}"}}"#
        )
    }

    /// Provisions a card of 25.
    pub async fn provision(&self, code: &str) -> Answer {
        self.world().post(&issuer(), "/api/gift-cards/provision", &self.provision_body(code)).await
    }

    /// Delivers a supplier's webhook about a reference; `forged` breaks its signature.
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

    /// Reads an account as an admin.
    pub async fn account(&self, id: &str) -> Answer {
        self.world().get(&admin(), &format!("/api/credit/accounts/{id}")).await.expect(200)
    }

    /// Returns the available, reserved and spent amounts of an account.
    pub async fn figures(&self, id: &str) -> [String; 3] {
        let account = self.account(id).await;
        [account.raw("available"), account.raw("reserved"), account.raw("spent")]
    }
}

/// Returns a CSV file of cards.
pub fn file(prefix: &str, cards: usize) -> String {
    let lines: String = (1..=cards).map(|n| format!("{prefix}-{n:06},{n:010},{:04}\n", n % 10_000)).collect();
    format!("code,number,pin\n{lines}")
}

/// Opens an account and returns its id.
pub async fn open(world: &World, kind: &str, parent: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    let body = format!(r#"{{"kind":"{kind}","parent_id":"{parent}","name":"The {kind}"{more}}}"#);
    world.post(&admin(), "/api/credit/accounts", &body).await.expect(201).text("/account_id")
}

/// Creates a pool of cards of 25 that cost 20 each, and returns its id.
pub async fn create_pool(world: &World, brand: &str, kind: &str) -> String {
    let body = format!(
        r#"{{"brand_id":"{brand}","denomination":25,"pool_type":"{kind}","cost_per_card":20,"low_stock_threshold":3}}"#
    );
    world.post(&admin(), "/api/gift-cards/pools", &body).await.expect(201).text("/pool_id")
}

/// Allocates credit to a child account.
pub async fn allocate(world: &World, from: &str, to: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":{amount}}}"#);
    world.post(&admin(), "/api/credit/allocate", &body).await.expect(201)
}
