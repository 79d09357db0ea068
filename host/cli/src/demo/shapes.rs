//! The tables that stay as they were made: one of each shape, every entry of which follows from its number, so that it
//! can be checked afterwards.

use anyhow::ensure;
use redb::{
    MultimapTableDefinition, ReadTransaction, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use super::types::{NewestFirst, Reading};

const EVENTS: TableDefinition<(u64, &str), &[u8]> = TableDefinition::new("events");
const TAGS: MultimapTableDefinition<&str, u64> = MultimapTableDefinition::new("tags");
const SETTINGS: TableDefinition<&str, Option<u32>> = TableDefinition::new("settings");
const VECTORS: TableDefinition<[u8; 16], [f32; 4]> = TableDefinition::new("vectors");
const READINGS: TableDefinition<NewestFirst, Reading> = TableDefinition::new("readings");
const ATTACHMENTS: TableDefinition<u32, &[u8]> = TableDefinition::new("attachments");
const DRAFTS: TableDefinition<u64, &str> = TableDefinition::new("drafts");

/// A shape: how it is filled, and how it is checked with the application's own definitions.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) fill: fn(&WriteTransaction) -> anyhow::Result<()>,
    /// Says how many entries are as they should be.
    pub(super) check: fn(&ReadTransaction) -> anyhow::Result<u64>,
}

pub(super) const SHAPES: [Shape; 7] = [
    Shape { name: "events", fill: fill_events, check: check_events },
    Shape { name: "tags", fill: fill_tags, check: check_tags },
    Shape { name: "settings", fill: fill_settings, check: check_settings },
    Shape { name: "vectors", fill: fill_vectors, check: check_vectors },
    Shape { name: "readings", fill: fill_readings, check: check_readings },
    Shape { name: "attachments", fill: fill_attachments, check: check_attachments },
    Shape { name: "drafts", fill: fill_drafts, check: check_drafts },
];

/// Well-mixed numbers, the same ones every time.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Bytes of which every second half is random.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let words = (0..len as u64 / 16 + 1).flat_map(|i| [mix(seed ^ (i << 32)).to_le_bytes(), *b" and so "]);
    words.flatten().take(len).collect()
}

const EVENT_COUNT: u64 = 100_000;
const KINDS: [&str; 4] = ["login", "order", "payment", "logout"];

fn event(number: u64) -> ((u64, &'static str), Vec<u8>) {
    ((number / 2, KINDS[(number % 2) as usize + 2 * (mix(number / 2) % 2) as usize]), bytes(number, 200))
}

fn fill_events(txn: &WriteTransaction) -> anyhow::Result<()> {
    let mut table = txn.open_table(EVENTS)?;
    for (key, value) in (0..EVENT_COUNT).map(event) {
        table.insert(key, value.as_slice())?;
    }
    Ok(())
}

fn check_events(txn: &ReadTransaction) -> anyhow::Result<u64> {
    let table = txn.open_table(EVENTS)?;
    for (key, value) in (0..EVENT_COUNT).map(event) {
        ensure!(
            table.get(key)?.is_some_and(|found| found.value() == value),
            "event {key:?} is not as it was"
        );
    }
    exactly(table.len()?, EVENT_COUNT)
}

/// A few values for most keys, a great many for the first: redb stores these in a tree of their own.
fn tag(number: u64) -> (String, u64) {
    if number < 20_000 {
        ("popular".to_owned(), number)
    } else {
        (format!("tag-{:04}", mix(number) % 5_000), number)
    }
}

const TAG_COUNT: u64 = 40_000;

fn fill_tags(txn: &WriteTransaction) -> anyhow::Result<()> {
    let mut table = txn.open_multimap_table(TAGS)?;
    for (key, value) in (0..TAG_COUNT).map(tag) {
        table.insert(key.as_str(), value)?;
    }
    Ok(())
}

fn check_tags(txn: &ReadTransaction) -> anyhow::Result<u64> {
    let table = txn.open_multimap_table(TAGS)?;
    let mut found = std::collections::HashSet::new();
    for pair in table.range::<&str>(..)? {
        let (key, values) = pair?;
        for value in values {
            found.insert((key.value().to_owned(), value?.value()));
        }
    }
    ensure!((0..TAG_COUNT).map(tag).all(|pair| found.contains(&pair)), "a tag is missing");
    exactly(found.len() as u64, TAG_COUNT)
}

fn setting(number: u64) -> (String, Option<u32>) {
    (format!("setting-{number}"), number.is_multiple_of(3).then_some(number as u32))
}

const SETTING_COUNT: u64 = 300;

fn fill_settings(txn: &WriteTransaction) -> anyhow::Result<()> {
    let mut table = txn.open_table(SETTINGS)?;
    for (key, value) in (0..SETTING_COUNT).map(setting) {
        table.insert(key.as_str(), value)?;
    }
    Ok(())
}

fn check_settings(txn: &ReadTransaction) -> anyhow::Result<u64> {
    let table = txn.open_table(SETTINGS)?;
    for (key, value) in (0..SETTING_COUNT).map(setting) {
        ensure!(
            table.get(key.as_str())?.is_some_and(|found| found.value() == value),
            "{key} is not as it was"
        );
    }
    exactly(table.len()?, SETTING_COUNT)
}

fn vector(number: u64) -> ([u8; 16], [f32; 4]) {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&mix(number).to_be_bytes());
    (key, [number as f32, 0.5, -1.0, f32::INFINITY])
}

const VECTOR_COUNT: u64 = 50_000;

fn fill_vectors(txn: &WriteTransaction) -> anyhow::Result<()> {
    let mut table = txn.open_table(VECTORS)?;
    for (key, value) in (0..VECTOR_COUNT).map(vector) {
        table.insert(key, value)?;
    }
    Ok(())
}

fn check_vectors(txn: &ReadTransaction) -> anyhow::Result<u64> {
    let table = txn.open_table(VECTORS)?;
    for (key, value) in (0..VECTOR_COUNT).map(vector) {
        ensure!(
            table.get(key)?.is_some_and(|found| found.value() == value),
            "vector {key:?} is not as it was"
        );
    }
    exactly(table.len()?, VECTOR_COUNT)
}

fn reading(number: u64) -> (NewestFirst, Reading) {
    (NewestFirst(number), Reading { sensor: mix(number) as u32 % 64, celsius: (number % 400) as f32 / 10.0 })
}

const READING_COUNT: u64 = 50_000;

fn fill_readings(txn: &WriteTransaction) -> anyhow::Result<()> {
    let mut table = txn.open_table(READINGS)?;
    for (key, value) in (0..READING_COUNT).map(reading) {
        table.insert(key, value)?;
    }
    Ok(())
}

/// In the application's order: the newest first.
fn check_readings(txn: &ReadTransaction) -> anyhow::Result<u64> {
    let table = txn.open_table(READINGS)?;
    let mut expected = (0..READING_COUNT).rev().map(reading);
    for found in table.range::<NewestFirst>(..)? {
        let (key, value) = found?;
        ensure!(
            expected.next() == Some((key.value(), value.value())),
            "reading {:?} is not as it was",
            key.value()
        );
        ensure!(table.get(key.value())?.is_some(), "reading {:?} is not found by its key", key.value());
    }
    exactly(table.len()?, READING_COUNT)
}

const ATTACHMENT_BYTES: usize = 6_000_000;

fn fill_attachments(txn: &WriteTransaction) -> anyhow::Result<()> {
    let mut table = txn.open_table(ATTACHMENTS)?;
    table.insert(1, bytes(1, ATTACHMENT_BYTES).as_slice())?;
    table.insert(2, &[][..])?;
    Ok(())
}

fn check_attachments(txn: &ReadTransaction) -> anyhow::Result<u64> {
    let table = txn.open_table(ATTACHMENTS)?;
    let is =
        |key, expected: &[u8]| anyhow::Ok(table.get(key)?.is_some_and(|found| found.value() == expected));
    ensure!(is(1, &bytes(1, ATTACHMENT_BYTES))? && is(2, &[])?, "an attachment is not as it was");
    exactly(table.len()?, 2)
}

/// An empty table is a table.
fn fill_drafts(txn: &WriteTransaction) -> anyhow::Result<()> {
    txn.open_table(DRAFTS)?;
    Ok(())
}

fn check_drafts(txn: &ReadTransaction) -> anyhow::Result<u64> {
    exactly(txn.open_table(DRAFTS)?.len()?, 0)
}

fn exactly(found: u64, expected: u64) -> anyhow::Result<u64> {
    ensure!(found == expected, "there are {found} entries instead of {expected}");
    Ok(found)
}
