//! The proof of a world's books, and their comparison with the responses.
//!
//! **Invariant:** an acknowledged entry is present once, and a rejected request has left none.

use crate::world::World;

impl World {
    /// Audits the books.
    pub async fn audit(&self) -> scrip::audit::AuditReport {
        scrip::audit::audit(&self.app.store, self.app.policy.currency()).await.unwrap()
    }

    /// Proves the books (laws 1, 2, 5, 8, 9, 10) and compares them with the responses (law 4): an
    /// acknowledged entry is present once, a rejected request has left no entry.
    pub async fn prove(&self) -> scrip::audit::AuditReport {
        self.faults.clear();
        let audit = self.audit().await;
        assert!(audit.is_proved(), "{audit}");
        let list = self.app.store.audit().wallets().await.unwrap();
        let mut ids: Vec<String> = Vec::new();
        let record = self.record.lock().unwrap().clone();
        for (wallet, named) in &list.wallets {
            let (books, _) = self.app.store.audit().wallet_books(wallet, named).await.unwrap();
            for entry in &books.ledger.entries {
                ids.push(entry.id().to_string());
                if let Some(request) = &entry.request {
                    assert!(!record.rejected.contains(request.as_str()), "a rejected request left {entry:?}");
                }
            }
        }
        for (user, purchases) in &list.points {
            let (books, _) = self.app.store.audit().points_books(user, purchases).await.unwrap();
            for entry in &books.ledger.entries {
                ids.push(entry.id().to_string());
                if let Some(request) = &entry.request {
                    assert!(!record.rejected.contains(request.as_str()), "a rejected request left {entry:?}");
                }
            }
        }
        for account in &self.app.store.audit().budget_list().await.unwrap().accounts {
            let (books, _) = self.app.store.audit().budget_books(account).await.unwrap();
            for entry in books.iter().flat_map(|books| &books.entries) {
                ids.push(entry.id().to_string());
                let request = entry.request.as_str();
                let closing = entry.cause.as_str().starts_with("closing");
                assert!(closing || !record.rejected.contains(request), "a rejected request left {entry:?}");
            }
        }
        for id in record.acknowledged.iter().filter(|id| id.starts_with("txn_")) {
            assert_eq!(ids.iter().filter(|found| *found == id).count(), 1, "entries of {id}");
        }
        audit
    }
}
