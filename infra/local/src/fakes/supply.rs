//! Control of the fake suppliers: how they handle orders, and the webhooks that they send.
//!
//! **Invariant:** a webhook is signed like the real supplier's, and contains no more than that.

use super::Fakes;
use super::state::{FakeCardOrder, id};
use crate::Failure;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Suppliers that have a fake.
const SUPPLIERS: [&str; 2] = ["reloadly", "tremendous"];

/// How a fake supplier handles orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Delivers at once.
    #[default]
    Well,
    /// Accepts the order, and delivers when it is polled for the second time.
    Slow,
    /// Accepts the order, but never answers.
    ReplyLost,
    /// Neither accepts the order nor answers.
    Silent,
    /// Rejects the order as out of stock.
    OutOfStock,
    /// Rejects the order because our balance is too low.
    OutOfFunds,
    /// Rejects every order.
    Rejects,
    /// Delivers the same card for every order.
    Duplicate,
    /// Delivers, but refuses to show the card.
    Withheld,
    /// Rejects the order, but delivers nevertheless: the card is found once this setting is
    /// changed.
    LateDelivery,
}

/// Setting of each supplier, by name; a missing one is the default.
pub type Switches = BTreeMap<String, Switch>;

impl Fakes {
    /// Sets how a supplier handles orders from now on.
    pub fn supply(&self, supplier: &str, switch: Switch) {
        let mut switches = self.supply.lock().unwrap_or_else(PoisonError::into_inner);
        switches.insert(supplier.to_owned(), switch);
    }

    pub(super) fn switch(&self, supplier: &str) -> Switch {
        let switches = self.supply.lock().unwrap_or_else(PoisonError::into_inner);
        switches.get(supplier).copied().unwrap_or_default()
    }

    /// Returns our references of all orders that a supplier has accepted.
    pub fn issued(&self, supplier: &str) -> Vec<String> {
        let of = |key: &&String| key.starts_with(&format!("{supplier}|"));
        self.read()
            .cards
            .keys()
            .filter(of)
            .map(|key| key.split_once('|').map_or("", |(_, r)| r).to_owned())
            .collect()
    }

    /// Returns the code of the card for a reference.
    pub fn code_of(&self, supplier: &str, reference: &str) -> String {
        let same = self.switch(supplier) == Switch::Duplicate;
        let of = if same { "the same" } else { reference };
        let digest = id("", &format!("{supplier}|{of}"));
        digest.bytes().map(|byte| char::from(b'0' + byte % 10)).take(14).collect()
    }

    /// Returns the path, headers and body of a webhook about a reference, signed like the
    /// supplier's.
    pub fn supplier_webhook(
        &self,
        supplier: &str,
        reference: &str,
    ) -> (String, Vec<(String, String)>, String) {
        let path = format!("/api/gift-cards/webhook/{supplier}");
        let number =
            self.read().cards.get(&format!("{supplier}|{reference}")).map_or(0, |order| order.number);
        if supplier == "reloadly" {
            let body = json!({"type": "giftcard_transaction.status",
                "data": {"transactionId": number, "customIdentifier": reference, "status": "SUCCESSFUL"}})
            .to_string();
            let at = self.now_seconds().to_string();
            let tag =
                super::send::hmac_hex(&self.secrets.reloadly.1, &[body.as_bytes(), b":", at.as_bytes()]);
            let headers = vec![
                ("x-reloadly-signature".to_owned(), tag),
                ("x-reloadly-request-timestamp".to_owned(), at),
            ];
            return (path, headers, body);
        }
        let body = json!({"event": "ORDERS.UPDATED", "payload": {"resource": {"id": format!("T{number}"), "type": "orders"}}})
            .to_string();
        let tag = super::send::hmac_hex(&self.secrets.tremendous.1, &[body.as_bytes()]);
        (path, vec![("tremendous-webhook-signature".to_owned(), format!("sha256={tag}"))], body)
    }
}

/// Command to a fake supplier.
#[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct SupplyCommand {
    /// Supplier.
    #[arg(value_parser = ["reloadly", "tremendous"])]
    pub supplier: String,
    /// How it handles orders from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub does: Option<Switch>,
    /// Deliver all orders that are still open, and send a webhook for each.
    #[arg(long)]
    #[serde(default)]
    pub deliver: bool,
}

/// Result of a command.
#[derive(Clone, Debug, Serialize)]
pub struct SupplyAnswer {
    supplier: String,
    does: Switch,
    /// HTTP status of the answer to each webhook, one per delivered order.
    delivered: Vec<u16>,
}

impl Fakes {
    /// Executes a command.
    pub async fn supply_as(&self, command: &SupplyCommand) -> Result<SupplyAnswer, Failure> {
        if !SUPPLIERS.contains(&command.supplier.as_str()) {
            return Err(format!("unknown supplier; the suppliers are {}", SUPPLIERS.join(", ")).into());
        }
        if let Some(does) = command.does {
            self.supply(&command.supplier, does);
        }
        let mut delivered = Vec::new();
        for reference in if command.deliver { self.finish(&command.supplier) } else { vec![] } {
            let (path, headers, body) = self.supplier_webhook(&command.supplier, &reference);
            let request = self.http.post(format!("{}{path}", self.api)).body(body);
            let request = request.header("content-type", "application/json");
            let signed =
                headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            delivered.push(signed.send().await?.status().as_u16());
        }
        let does = self.switch(&command.supplier);
        Ok(SupplyAnswer { supplier: command.supplier.clone(), does, delivered })
    }

    /// Delivers every open order of a supplier; returns their references.
    fn finish(&self, supplier: &str) -> Vec<String> {
        let ours = format!("{supplier}|");
        self.write(|state| {
            let open = state
                .cards
                .iter_mut()
                .filter(|(key, order)| key.starts_with(&ours) && order.status != "done");
            let finish = |(_, order): (&String, &mut FakeCardOrder)| {
                "done".clone_into(&mut order.status);
                order.reference.clone()
            };
            open.map(finish).collect()
        })
    }
}
