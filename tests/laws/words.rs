//! The words that are stored and shown: each is the contract's, and reads back as what it was written for.

use domain::ledger::account::AccountStatus;
use domain::ledger::entry::EntryType;
use domain::ledger::hold::HoldStatus;
use domain::ledger::lot::{CreditSource, LotClass};

#[test]
fn every_word_reads_back_and_others_are_refused() {
    let statuses = [
        (HoldStatus::Open, "open"),
        (HoldStatus::Captured, "captured"),
        (HoldStatus::Released, "released"),
        (HoldStatus::Expired, "expired"),
    ];
    for (status, word) in statuses {
        assert_eq!((status.as_str(), HoldStatus::parse(word)), (word, Ok(status)));
    }
    let classes =
        [(LotClass::Promotional, "promotional"), (LotClass::Refund, "refund"), (LotClass::Paid, "paid")];
    for (class, word) in classes {
        assert_eq!((class.as_str(), LotClass::parse(word)), (word, Ok(class)));
    }
    let sources = ["purchase", "referral", "promotion", "loyalty", "refund", "manual", "topup"];
    let mut words: Vec<&str> = CreditSource::ALL.map(CreditSource::as_str).to_vec();
    for source in CreditSource::ALL {
        assert_eq!(CreditSource::parse(source.as_str()), Ok(source));
    }
    words.sort_unstable();
    assert_eq!(words, {
        let mut sources = sources;
        sources.sort_unstable();
        sources
    });
    for kind in EntryType::ALL {
        assert_eq!(EntryType::parse(kind.as_str()), Ok(kind));
    }
    for (status, word) in [
        (AccountStatus::Active, "ACTIVE"),
        (AccountStatus::Frozen, "FROZEN"),
        (AccountStatus::Suspended, "SUSPENDED"),
    ] {
        assert_eq!((status.as_str(), AccountStatus::parse(word)), (word, Ok(status)));
    }
    for other in ["", "xyzzy", "OPEN", "Paid", "active"] {
        assert!(HoldStatus::parse(other).is_err() && LotClass::parse(other).is_err(), "{other}");
        assert!(CreditSource::parse(other).is_err() && AccountStatus::parse(other).is_err(), "{other}");
        assert!(EntryType::parse(other).is_err(), "{other}");
    }
}
