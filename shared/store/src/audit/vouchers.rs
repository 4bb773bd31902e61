//! Reads everything stored about vouchers, for the audit.
//!
//! **Invariant:** all is read by a scan, so that nothing is missed because a list does not name it.
//! **Invariant:** an item that cannot be read is reported as a difference; it never ends the audit.

use super::Audit;
use crate::engine::attr::{Item, Reader};
use crate::engine::error::StoreError;
use crate::keys;
use crate::vouchers::items;
use domain::ids::VoucherId;
use domain::ledger::audit::Difference;
use domain::vouchers::audit::{StockedCode, VoucherBooks};

impl Audit {
    /// Reads all vouchers with their codes and purchases, and lists the items that cannot be read. Scans the table; for
    /// the audit only.
    pub async fn voucher_books(&self) -> Result<(VoucherBooks, Vec<Difference>), StoreError> {
        let (mut books, mut bad) = (VoucherBooks::default(), vec![]);
        let mut pages = self.scan();
        while let Some(page) = pages.next().await? {
            for item in &page {
                if let Err(error) = add(&mut books, item) {
                    let at = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
                    let account = at(keys::PK).unwrap_or_default();
                    bad.push(Difference { account, at: at(keys::SK), detail: error.to_string() });
                }
            }
        }
        Ok((books, bad))
    }
}

/// Adds an item to the books, if it belongs to vouchers.
fn add(books: &mut VoucherBooks, item: &Item) -> Result<(), StoreError> {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let (pk, sk) = (part(keys::PK), part(keys::SK));
    if let Some(id) = keys::voucher_of(pk) {
        let of = books.vouchers.entry(id).or_default();
        if sk == "V" {
            of.voucher = Some(items::voucher_from_item(item)?);
        } else {
            let reader = Reader::new(item, "number of codes");
            let count = |name: &str| if reader.has(name) { reader.count(name) } else { Ok(0) };
            of.given += count("stocked")?;
            of.sold += count("sold")?;
        }
    } else if pk == keys::VOUCHERS {
        let id = Reader::new(item, "voucher in the list").parse("voucher_id", VoucherId::parse)?;
        books.vouchers.entry(id).or_default().is_listed = true;
    } else if keys::card_of(pk).is_some() && item.contains_key("voucher_id") {
        let code = items::code_from_item(item)?;
        let (voucher, sold_to, expires_on) = (code.voucher, code.sold_to, code.expires_on);
        books.codes.insert(code.id, StockedCode { voucher, sold_to, expires_on });
    } else if let Some((voucher, shard)) = keys::free_codes_of(pk) {
        let misplaced = || StoreError::Corrupt("a free code has another key".to_owned());
        let free = items::free_from_item(item, &voucher, shard).ok_or_else(misplaced)?;
        books.free.entry(free.card.clone()).or_default().push(free);
    } else if keys::voucher_purchase_of(pk).is_some() && sk == "U" {
        let purchase = items::purchase_from_item(item)?;
        books.purchases.insert(purchase.id.clone(), purchase);
    } else if let Some(user) = keys::bought_vouchers_of(pk) {
        let (purchase, voucher) = items::listed_from_item(item)?;
        books.listed.insert((user, purchase, voucher));
    } else if pk.starts_with("A#p:") && sk.starts_with(keys::BOUGHT) {
        let count = items::count_from_item(item)?.0;
        let key = keys::bought_count(&count.user, &count.voucher);
        if (key.pk.as_str(), key.sk.as_str()) != (pk, sk) {
            return Err(StoreError::Corrupt("a count of bought vouchers has another key".to_owned()));
        }
        books.counts.push(count);
    }
    Ok(())
}
