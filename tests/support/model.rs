//! A naive wallet written from the contract alone: whole paise, plain lists, no ledger.
//!
//! **Invariant:** it shares no code with the domain, so a defect in one of them shows as a difference.

use std::collections::BTreeMap;

/// Days since 1970; `i64::MAX` means never.
pub type Day = i64;
/// Expiry day of credit that does not expire.
pub const NEVER: Day = i64::MAX;
/// Lot class: 0 promotional, 1 refund, 2 paid; the burn order within a date.
pub type Class = u8;
/// Credit of one expiry day and class: day, class, paise.
pub type Part = (Day, Class, i64);

const DAY: i64 = 24 * 60;

/// A wallet.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    /// Spendable credit, in no order.
    pub parts: Vec<Part>,
    /// 0 active, 1 frozen, 2 suspended.
    pub status: u8,
}

/// A hold.
#[derive(Clone, Debug)]
pub struct NaiveHold {
    /// Index of the wallet.
    pub owner: usize,
    /// Expiry, in minutes since 1970.
    pub due: i64,
    /// Remaining credit, in burn order.
    pub parts: Vec<Part>,
    /// `open`, `captured`, `released` or `expired`.
    pub state: &'static str,
}

/// An order.
#[derive(Clone, Debug)]
pub struct NaiveOrder {
    owner: usize,
    total: i64,
    paid: i64,
    refunded: i64,
    stack: Vec<Part>,
    natural: Option<i64>,
}

/// All wallets, holds and orders, and the clock.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Wallets by index; `None` until opened.
    pub wallets: Vec<Option<Naive>>,
    /// Holds by index.
    pub holds: Vec<NaiveHold>,
    /// Orders by number.
    pub orders: BTreeMap<u8, NaiveOrder>,
    /// The clock, in minutes since 1970.
    pub now: i64,
}

type Verdict = Result<(), &'static str>;

fn sum(parts: &[Part]) -> i64 {
    parts.iter().map(|part| part.2).sum()
}

/// Takes this many paise from the front, part by part.
fn take(parts: &mut Vec<Part>, mut paise: i64) -> Vec<Part> {
    let mut taken = vec![];
    while paise > 0 {
        let part = parts[0];
        let some = part.2.min(paise);
        taken.push((part.0, part.1, some));
        paise -= some;
        if some == part.2 {
            parts.remove(0);
        } else {
            parts[0].2 -= some;
        }
    }
    taken
}

impl Model {
    fn today(&self) -> Day {
        self.now / DAY
    }

    /// Advances the clock: holds that are due return their credit, and expired credit disappears.
    pub fn tick(&mut self, minutes: i64) {
        self.now += minutes;
        for hold in self.holds.iter_mut().filter(|hold| hold.state == "open" && hold.due <= self.now) {
            hold.state = "expired";
            self.wallets[hold.owner].as_mut().unwrap().parts.append(&mut hold.parts);
        }
        self.drop_expired();
    }

    fn drop_expired(&mut self) {
        let today = self.today();
        for wallet in self.wallets.iter_mut().flatten() {
            wallet.parts.retain(|part| part.0 >= today);
        }
    }

    /// Returns the available paise.
    pub fn available(&self, wallet: usize) -> i64 {
        self.wallets[wallet].as_ref().map_or(0, |w| sum(&w.parts))
    }

    /// Returns the held paise.
    pub fn held(&self, wallet: usize) -> i64 {
        let open = self.holds.iter().filter(|hold| hold.owner == wallet && hold.state == "open");
        open.map(|hold| sum(&hold.parts)).sum()
    }

    /// Returns the spendable credit by date and class, in burn order.
    pub fn lots(&self, wallet: usize) -> Vec<Part> {
        let mut lots: BTreeMap<(Day, Class), i64> = BTreeMap::new();
        for part in self.wallets[wallet].iter().flat_map(|w| &w.parts) {
            *lots.entry((part.0, part.1)).or_default() += part.2;
        }
        lots.into_iter().map(|((day, class), paise)| (day, class, paise)).collect()
    }

    /// Opens a wallet.
    pub fn create(&mut self, wallet: usize) -> Verdict {
        if self.wallets[wallet].is_some() {
            return Err("WalletExists");
        }
        self.wallets[wallet] = Some(Naive::default());
        Ok(())
    }

    fn open(&mut self, wallet: usize) -> Result<&mut Naive, &'static str> {
        self.wallets[wallet].as_mut().ok_or("WalletNotFound")
    }

    fn spendable(&mut self, wallet: usize) -> Verdict {
        match self.open(wallet)?.status {
            0 => Ok(()),
            1 => Err("AccountFrozen"),
            _ => Err("AccountSuspended"),
        }
    }

    /// Adds credit that expires after `days` (`None`: as the tier says).
    pub fn credit(&mut self, wallet: usize, paise: i64, class: Class, days: Option<i64>) -> Verdict {
        let (today, balance) = (self.today(), self.available(wallet) + self.held(wallet));
        let by_tier = match balance {
            ..100_000 => today + 365,
            100_000..500_000 => today + 730,
            500_000..1_000_000 => today + 1_095,
            _ => NEVER,
        };
        let naive = self.open(wallet)?;
        if naive.status == 2 {
            return Err("AccountSuspended");
        }
        naive.parts.push((days.map_or(by_tier, |days| today + days), class, paise));
        Ok(())
    }

    fn burn(&mut self, wallet: usize, paise: i64) -> Result<Vec<Part>, &'static str> {
        let naive = self.open(wallet)?;
        if sum(&naive.parts) < paise {
            return Err("InsufficientFunds");
        }
        naive.parts.sort();
        Ok(take(&mut naive.parts, paise))
    }

    /// Spends, for an order or not; without an idempotency key, the order itself identifies the payment.
    pub fn debit(&mut self, wallet: usize, paise: i64, order: Option<u8>, keyed: bool) -> Verdict {
        self.open(wallet)?;
        let known = order.and_then(|id| self.orders.get(&id).cloned());
        if known.as_ref().is_some_and(|known| known.owner != wallet) {
            return Err("OrderNotFound");
        }
        if let (Some(natural), false) = (known.as_ref().and_then(|known| known.natural), keyed) {
            return if natural == paise { Ok(()) } else { Err("OrderAlreadyPaid") };
        }
        self.spendable(wallet)?;
        if known.as_ref().is_some_and(|known| known.paid + paise > known.total) {
            return Err("PaymentExceedsDue");
        }
        let burned = self.burn(wallet, paise)?;
        if let Some(id) = order {
            let fresh = NaiveOrder {
                owner: wallet,
                total: paise,
                paid: 0,
                refunded: 0,
                stack: vec![],
                natural: None,
            };
            let order = self.orders.entry(id).or_insert(fresh);
            order.paid += paise;
            order.stack.extend(burned);
            if !keyed {
                order.natural = Some(paise);
            }
        }
        Ok(())
    }

    /// Refunds to the lots that paid, last burned first.
    pub fn refund(&mut self, wallet: usize, paise: i64, order: u8) -> Verdict {
        self.open(wallet)?;
        let today = self.today();
        let order =
            self.orders.get_mut(&order).filter(|order| order.owner == wallet).ok_or("OrderNotFound")?;
        if order.refunded + paise > order.paid {
            return Err("RefundExceedsPayment");
        }
        order.refunded += paise;
        order.stack.reverse();
        let mut back = take(&mut order.stack, paise);
        order.stack.reverse();
        for part in &mut back {
            if part.0 < today && part.1 != 1 {
                *part = (today + 30, 1, part.2);
            }
        }
        self.open(wallet)?.parts.extend(back);
        self.drop_expired();
        Ok(())
    }

    /// Places a hold.
    pub fn hold(&mut self, wallet: usize, paise: i64, minutes: i64) -> Verdict {
        self.open(wallet)?;
        self.spendable(wallet)?;
        if self.holds.iter().filter(|hold| hold.owner == wallet && hold.state == "open").count() >= 20 {
            return Err("TooManyHolds");
        }
        let parts = self.burn(wallet, paise)?;
        self.holds.push(NaiveHold { owner: wallet, due: self.now + minutes, parts, state: "open" });
        Ok(())
    }

    fn closable(&self, hold: usize) -> Verdict {
        match self.holds[hold].state {
            "open" => Ok(()),
            "expired" => Err("HoldExpired"),
            _ => Err("HoldClosed"),
        }
    }

    /// Captures from a hold; `None` captures everything that remains.
    pub fn capture(&mut self, hold: usize, paise: Option<i64>, is_final: bool) -> Verdict {
        self.closable(hold)?;
        let held = &mut self.holds[hold];
        let paise = paise.unwrap_or_else(|| sum(&held.parts));
        if paise > sum(&held.parts) {
            return Err("CaptureExceedsHold");
        }
        take(&mut held.parts, paise);
        if is_final || held.parts.is_empty() {
            held.state = "captured";
            let (owner, mut rest) = (held.owner, std::mem::take(&mut held.parts));
            self.open(owner)?.parts.append(&mut rest);
            self.drop_expired();
        }
        Ok(())
    }

    /// Releases a hold.
    pub fn release(&mut self, hold: usize) -> Verdict {
        self.closable(hold)?;
        self.holds[hold].state = "released";
        let (owner, mut rest) = (self.holds[hold].owner, std::mem::take(&mut self.holds[hold].parts));
        self.open(owner)?.parts.append(&mut rest);
        self.drop_expired();
        Ok(())
    }

    /// Transfers to another wallet.
    pub fn transfer(&mut self, from: usize, to: usize, paise: i64) -> Verdict {
        self.spendable(from)?;
        if self.available(from) < paise {
            return Err("InsufficientFunds");
        }
        if from == to {
            return Err("SelfTransfer");
        }
        if self.open(to)?.status == 2 {
            return Err("AccountSuspended");
        }
        let moved = self.burn(from, paise)?;
        self.open(to)?.parts.extend(moved);
        Ok(())
    }

    /// Freezes or suspends a wallet, or makes it active again.
    pub fn set_status(&mut self, wallet: usize, status: u8) -> Verdict {
        let naive = self.open(wallet)?;
        if status == 0 || status > naive.status {
            naive.status = status;
        }
        Ok(())
    }
}
