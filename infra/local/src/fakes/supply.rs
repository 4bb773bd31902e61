//! What the fake suppliers are told to do, and the webhooks that they send.
//!
//! **Invariant:** a webhook is signed as its supplier signs, and says no more than the supplier's would.

use super::Fakes;
use super::state::{FakeCardOrder, id};
use crate::Failure;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// The suppliers that there are fakes of.
const SUPPLIERS: [&str; 2] = ["reloadly", "tremendous"];

/// What a supplier does with an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Delivers at once.
    #[default]
    Well,
    /// Takes the order, and delivers when it is asked the third time.
    Slow,
    /// Takes the order, and never answers.
    ReplyLost,
    /// Never answers, and takes nothing.
    Silent,
    /// Has none.
    OutOfStock,
    /// We have too little money there.
    OutOfFunds,
    /// Refuses whatever it is asked.
    Rejects,
    /// Delivers the same card for every order.
    Duplicate,
    /// Delivers, and refuses to show the card.
    Withheld,
    /// Says no, and delivers all the same: the card is there when one looks.
    LateDelivery,
}

/// By supplier.
pub type Switches = BTreeMap<String, Switch>;

impl Fakes {
    /// From now on a supplier does this.
    pub fn supply(&self, supplier: &str, switch: Switch) {
        let mut switches = self.supply.lock().unwrap_or_else(PoisonError::into_inner);
        switches.insert(supplier.to_owned(), switch);
    }

    pub(super) fn switch(&self, supplier: &str) -> Switch {
        let switches = self.supply.lock().unwrap_or_else(PoisonError::into_inner);
        switches.get(supplier).copied().unwrap_or_default()
    }

    /// Every card that a supplier has issued, by our reference.
    pub fn issued(&self, supplier: &str) -> Vec<String> {
        let of = |key: &&String| key.starts_with(&format!("{supplier}|"));
        self.read()
            .cards
            .keys()
            .filter(of)
            .map(|key| key.split_once('|').map_or("", |(_, r)| r).to_owned())
            .collect()
    }

    /// The code of the card that a reference makes.
    pub fn code_of(&self, supplier: &str, reference: &str) -> String {
        let same = self.switch(supplier) == Switch::Duplicate;
        let of = if same { "the same" } else { reference };
        let digest = id("", &format!("{supplier}|{of}"));
        digest.bytes().map(|byte| char::from(b'0' + byte % 10)).take(14).collect()
    }

    /// A webhook about a reference, as this supplier signs it: its path, headers and body.
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

/// What is asked of a fake supplier.
#[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct SupplyCommand {
    /// Which one.
    #[arg(value_parser = ["reloadly", "tremendous"])]
    pub supplier: String,
    /// What it does with orders from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub does: Option<Switch>,
    /// Deliver what was ordered and not delivered yet, and tell of it by webhook.
    #[arg(long)]
    #[serde(default)]
    pub deliver: bool,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct SupplyAnswer {
    supplier: String,
    does: Switch,
    /// How the webhooks were answered, one for each order that was delivered.
    delivered: Vec<u16>,
}

impl Fakes {
    /// Does what is asked.
    pub async fn supply_as(&self, command: &SupplyCommand) -> Result<SupplyAnswer, Failure> {
        if !SUPPLIERS.contains(&command.supplier.as_str()) {
            return Err(format!("suppliers: {}", SUPPLIERS.join(", ")).into());
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

    /// Delivers every order of a supplier that was taken and not delivered; gives their references.
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
