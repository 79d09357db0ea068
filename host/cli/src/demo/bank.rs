//! The tables that a writer changes all the while: accounts, and the transfers between them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, ensure};
use redb::{
    Database, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use super::shapes::mix;

const ACCOUNTS: TableDefinition<&str, u64> = TableDefinition::new("accounts");
/// By number: from, to, amount.
const TRANSFERS: TableDefinition<u64, (u64, u64, u64)> = TableDefinition::new("transfers");
/// Under `height`: how many transfers there were.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// Where the database says how far it is.
pub(super) const POSITION: &str = "meta/height";

pub(super) const ACCOUNT_COUNT: u64 = 100_000;
const BALANCE: u64 = 1_000;
/// What all accounts hold together, at any moment.
pub(super) const TOTAL: u64 = ACCOUNT_COUNT * BALANCE;
const TRANSFERS_PER_COMMIT: u64 = 5;

fn account(number: u64) -> String {
    format!("account-{number:06}")
}

pub(super) fn fill(txn: &WriteTransaction) -> anyhow::Result<()> {
    let mut accounts = txn.open_table(ACCOUNTS)?;
    for number in 0..ACCOUNT_COUNT {
        accounts.insert(account(number).as_str(), BALANCE)?;
    }
    txn.open_table(TRANSFERS)?;
    txn.open_table(META)?.insert("height", 0)?;
    Ok(())
}

/// A writer at work.
pub(super) struct Writer {
    stop: AtomicBool,
    commits: AtomicU64,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { stop: AtomicBool::new(false), commits: AtomicU64::new(0) }
    }

    /// Commits so far.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Commits transfers until it is stopped.
    pub(super) fn work(&self, db: &Database) -> anyhow::Result<()> {
        while !self.is_stopped() {
            let done = commit(db).context("the writer");
            if done.is_err() {
                self.stop();
            }
            done?;
            self.commits.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Waits until this many more commits are done, so that there is something new.
    pub(super) fn wait_for(&self, commits: u64) {
        let until = self.commits() + commits;
        while self.commits() < until && !self.is_stopped() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

/// A few transfers at once. In the midst of it the sum is not right; only after it.
fn commit(db: &Database) -> anyhow::Result<()> {
    let txn = db.begin_write()?;
    {
        let mut accounts = txn.open_table(ACCOUNTS)?;
        let mut transfers = txn.open_table(TRANSFERS)?;
        let mut meta = txn.open_table(META)?;
        let height = meta.get("height")?.context("the height is gone")?.value();
        for number in height..height + TRANSFERS_PER_COMMIT {
            let (from, to) = (mix(2 * number) % ACCOUNT_COUNT, mix(2 * number + 1) % ACCOUNT_COUNT);
            let has = balance(&accounts, from)?;
            let amount = mix(number) % (has + 1);
            accounts.insert(account(from).as_str(), has - amount)?;
            let has = balance(&accounts, to)?;
            accounts.insert(account(to).as_str(), has + amount)?;
            transfers.insert(number, (from, to, amount))?;
        }
        meta.insert("height", height + TRANSFERS_PER_COMMIT)?;
    }
    txn.commit()?;
    Ok(())
}

fn balance(accounts: &impl ReadableTable<&'static str, u64>, number: u64) -> anyhow::Result<u64> {
    Ok(accounts.get(account(number).as_str())?.context("an account is gone")?.value())
}

/// What a restored bank holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) total: u64,
    pub(super) height: u64,
    pub(super) entries: u64,
}

/// Checks that the restored tables are of one moment: the sum is right, and the transfers that are there give, from
/// the beginning, exactly the balances that are there.
pub(super) fn check(txn: &ReadTransaction) -> anyhow::Result<Books> {
    let height = txn.open_table(META)?.get("height")?.context("the height is missing")?.value();
    let transfers = txn.open_table(TRANSFERS)?;
    ensure!(transfers.len()? == height, "there are {} transfers at height {height}", transfers.len()?);
    let mut balances = vec![BALANCE; ACCOUNT_COUNT as usize];
    for transfer in transfers.iter()? {
        let (from, to, amount) = transfer?.1.value();
        let mut add = |account: u64, sum: fn(u64, u64) -> Option<u64>| {
            let balance = balances.get_mut(usize::try_from(account).ok()?)?;
            *balance = sum(*balance, amount)?;
            Some(())
        };
        let carried = add(from, u64::checked_sub).and_then(|()| add(to, u64::checked_add));
        carried.context("a transfer is not as it was")?;
    }
    let accounts = txn.open_table(ACCOUNTS)?;
    let mut total = 0;
    for (number, expected) in balances.iter().enumerate() {
        let found = balance(&accounts, number as u64)?;
        ensure!(found == *expected, "account {number} holds {found} instead of {expected}");
        total += found;
    }
    ensure!(accounts.len()? == ACCOUNT_COUNT, "there are {} accounts", accounts.len()?);
    ensure!(total == TOTAL, "the accounts hold {total} instead of {TOTAL}");
    Ok(Books { total, height, entries: ACCOUNT_COUNT + height + 1 })
}
