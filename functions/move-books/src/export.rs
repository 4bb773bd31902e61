//! Writes the files of a segment of an export.
//!
//! **Invariant:** files are named by the attempt that writes them; the transaction that ends the segment takes those of one.
//! **Invariant:** one file of bounded size is in memory.

use crate::{Failed, MoveTools, lines};
use domain::hash::Hash;
use domain::ids::{JobId, RequestId};
use domain::jobs::export::{ExportedFile, FILE_BYTES};
use domain::jobs::job::Job;
use domain::jobs::kind::JobKind;
use domain::jobs::part::{Part, PartState};
use domain::jobs::row::RowOutcome;
use edge::{App, Services};
use futures::stream::{self, StreamExt, TryStreamExt};
use parts::Invocation;
use std::time::Instant;
use store::{Held, SegmentOf, SegmentPage, SegmentPlace, StoreError, Taken, WholeWallet};

/// Wallets that are read at once.
const AT_ONCE: usize = 8;

/// Files that one attempt writes.
struct Writer<'a> {
    services: &'a Services<MoveTools>,
    job: &'a Job,
    segment: u32,
    attempt: String,
    header: &'static str,
    text: String,
    rows: u64,
    owed: u64,
    files: Vec<ExportedFile>,
}

impl Writer<'_> {
    async fn line(&mut self, line: &str) -> Result<(), Failed> {
        if self.text.is_empty() {
            self.text = format!("{}\n", self.header);
        }
        self.text.push_str(line);
        self.rows += 1;
        if self.text.len() >= FILE_BYTES { self.end_file().await } else { Ok(()) }
    }

    async fn end_file(&mut self) -> Result<(), Failed> {
        // The first segment has a file even if nothing is in it, so that an export always has one.
        if self.text.is_empty() && !(self.segment == 0 && self.files.is_empty()) {
            return Ok(());
        }
        if self.text.is_empty() {
            self.text = format!("{}\n", self.header);
        }
        let (text, number) = (std::mem::take(&mut self.text), self.files.len() + 1);
        let word = self.job.terms.kind.as_str().trim_start_matches("export_");
        let id = &self.job.terms.id;
        let file = ExportedFile {
            name: format!("{word}-{}-{number}.csv", self.segment + 1),
            key: format!("exports/{id}/{}-{}-{number}.csv", self.segment, self.attempt),
            bytes: u64::try_from(text.len()).unwrap_or(u64::MAX),
            rows: std::mem::take(&mut self.rows),
            sha256: Hash::of(&text).to_string(),
            owed: std::mem::take(&mut self.owed),
        };
        self.services.tools.files.put(&file.key, "text/csv", text.into_bytes()).await?;
        self.files.push(file);
        Ok(())
    }

    async fn page(&mut self, page: SegmentPage) -> Result<(), Failed> {
        let filter = &self.job.terms.filter;
        match self.job.terms.kind {
            JobKind::ExportWallets => {
                let App { store, clock, .. } = &self.services.app;
                let wanted = page.wallets.into_iter().filter(|customer| filter.has_customer(customer));
                let read: Vec<_> = wanted
                    .map(|customer| async move { store.audit().whole_wallet(&customer, clock.now()).await })
                    .collect();
                let found: Vec<Option<WholeWallet>> =
                    stream::iter(read).buffered(AT_ONCE).try_collect().await?;
                for whole in found.into_iter().flatten() {
                    self.owed += u64::from(!whole.wallet.account.owed.total().is_zero());
                    let line = lines::wallet(&whole, &self.services.app.policy);
                    self.line(&line).await?;
                }
            }
            JobKind::ExportTransactions => {
                let wanted = page.entries.into_iter().filter(|entry| {
                    filter.has_day(entry.at.date()) && filter.has_customer(entry.account.customer())
                });
                for entry in wanted.collect::<Vec<_>>() {
                    self.line(&lines::transaction(&entry)).await?;
                }
                let of_budgets = page.budget_entries.into_iter().filter(|_| filter.customer.is_none());
                let of_budgets = of_budgets.filter(|entry| filter.has_day(entry.at.date()));
                for entry in of_budgets.collect::<Vec<_>>() {
                    self.line(&lines::budget_transaction(&entry)).await?;
                }
            }
            JobKind::ExportRedemptions => {
                let wanted = page.redemptions.into_iter().filter(|one| filter.has_day(one.created_at.date()));
                for redemption in wanted.collect::<Vec<_>>() {
                    self.line(&lines::redemption(&redemption)).await?;
                }
            }
            JobKind::ExportAccounts => {
                for (account, own) in &page.accounts {
                    self.line(&lines::account(account, *own)).await?;
                }
            }
            JobKind::BulkCredit
            | JobKind::BulkPoints
            | JobKind::ImportWallets
            | JobKind::ImportPoints
            | JobKind::ImportAccounts => {
                return Err(Failed::Unreadable("the job is no export"));
            }
        }
        Ok(())
    }
}

fn header(kind: JobKind) -> &'static str {
    match kind {
        JobKind::ExportTransactions => lines::TRANSACTIONS,
        JobKind::ExportRedemptions => lines::REDEMPTIONS,
        JobKind::ExportAccounts => lines::ACCOUNTS,
        JobKind::ExportWallets
        | JobKind::BulkCredit
        | JobKind::BulkPoints
        | JobKind::ImportWallets
        | JobKind::ImportPoints
        | JobKind::ImportAccounts => lines::WALLETS,
    }
}

fn read_of(kind: JobKind) -> SegmentOf {
    match kind {
        JobKind::ExportTransactions => SegmentOf::Entries,
        JobKind::ExportRedemptions => SegmentOf::Redemptions,
        JobKind::ExportAccounts => SegmentOf::Accounts,
        JobKind::ExportWallets
        | JobKind::BulkCredit
        | JobKind::BulkPoints
        | JobKind::ImportWallets
        | JobKind::ImportPoints
        | JobKind::ImportAccounts => SegmentOf::Wallets,
    }
}

/// Writes the files of a segment, unless that is done or another process is at it.
pub(crate) async fn write(
    services: &Services<MoveTools>,
    job: &Job,
    segment: u32,
    invocation: &Invocation,
) -> Result<(), Failed> {
    let App { store, clock, .. } = &services.app;
    let (jobs, id) = (store.jobs(), &job.terms.id);
    if !job.status.is_open() {
        return Ok(());
    }
    let owner = owner(&invocation.request, segment);
    match jobs.take((id, segment), &owner, clock.now()).await? {
        Taken::Done => {}
        Taken::Others => return Err(Failed::NotNow("another process writes the segment")),
        Taken::Mine(part) => {
            jobs.begin(job, clock.now()).await?;
            work(services, job, (part, &owner), invocation).await?;
        }
    }
    settle(services, id).await
}

fn owner(request: &RequestId, segment: u32) -> String {
    format!("{request}#{segment}")
}

async fn settle(services: &Services<MoveTools>, id: &JobId) -> Result<(), Failed> {
    let (jobs, now) = (services.app.store.jobs(), services.app.clock.now());
    let job = jobs.job(id).await?.ok_or(Failed::Unreadable("there is no such job"))?;
    jobs.settle(job, now).await?;
    Ok(())
}

async fn work(
    services: &Services<MoveTools>,
    job: &Job,
    (mut part, owner): (Part, &str),
    invocation: &Invocation,
) -> Result<(), Failed> {
    let App { store, clock, .. } = &services.app;
    let attempt = Hash::of(format!("{owner}|{}", clock.now())).prefix(6);
    let header = header(job.terms.kind);
    let segment = part.number;
    let (text, rows, owed, files) = (String::new(), 0, 0, vec![]);
    let mut writer = Writer { services, job, segment, attempt, header, text, rows, owed, files };
    let (mut place, mut kept) = (SegmentPlace::default(), Instant::now());
    let (at, what) = ((segment, job.terms.parts), read_of(job.terms.kind));
    while let Some(page) = store.audit().segment(at, what, &mut place).await? {
        if invocation.started.elapsed() >= invocation.begin_within {
            return Err(Failed::NotNow("the invocation has too little time left"));
        }
        if kept.elapsed() >= KEEP_EVERY || !matches!(part.state, PartState::Applying { .. }) {
            if !store.jobs().keep(&part, owner, clock.now()).await? {
                return Err(Failed::NotNow("another process has taken the segment"));
            }
            kept = Instant::now();
        }
        writer.page(page).await?;
    }
    writer.end_file().await?;
    let outcome = RowOutcome::Exported(writer.files);
    for row in &mut part.rows {
        row.outcome = outcome.clone();
    }
    if store.jobs().end(job, &part, Held::By(owner), clock.now()).await? {
        Ok(())
    } else {
        Err(StoreError::Contention("another process has taken the segment".to_owned()).into())
    }
}

/// Time after which the lease of a segment is prolonged.
const KEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
