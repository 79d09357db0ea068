//! Tables of any types, filled from any bytes.

use super::{Backwards, Borrowed, Seven};
use redb::{Key, MultimapTableDefinition, TableDefinition, Value, WriteTransaction};

pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Makes a key or a value of a type out of any bytes.
pub trait Make: Value {
    fn make(bytes: &[u8]) -> Vec<u8>;
}

macro_rules! makes {
    ($($stored:ty: |$bytes:ident| $value:expr;)*) => {
        $(impl Make for $stored {
            fn make($bytes: &[u8]) -> Vec<u8> {
                let value = $value;
                let encoded = <$stored as Value>::as_bytes(&value);
                let encoded: &[u8] = encoded.as_ref();
                encoded.to_vec()
            }
        })*
    };
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(257).wrapping_add(u64::from(*byte)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

makes! {
    u8: |b| number(b) as u8;
    i64: |b| number(b) as i64;
    u128: |b| u128::from(number(b)) << 50;
    bool: |b| b.len() % 2 == 1;
    &'static [u8]: |b| b;
    String: |b| text(b);
    (u32, String): |b| (number(b) as u32 % 9, text(b));
    (String, Backwards, u8): |b| (text(&b[..b.len() / 2]), Backwards(b.to_vec()), 1);
    Option<String>: |b| (!b.is_empty()).then(|| text(b));
    [u16; 3]: |b| [b.len() as u16, number(b) as u16, 7];
    Backwards: |b| Backwards(b.to_vec());
    Seven: |b| Seven(number(b).to_le_bytes()[..7].try_into().unwrap());
    Borrowed: |b| Borrowed(number(b) as u32);
}

pub type Fill = fn(&WriteTransaction, &str, &Entries);

pub fn plain<K: Key + Make + 'static, V: Make + 'static>(
    txn: &WriteTransaction,
    name: &str,
    entries: &Entries,
) {
    let mut table = txn.open_table(TableDefinition::<K, V>::new(name)).unwrap();
    for (key, value) in entries {
        let (key, value) = (K::make(key), V::make(value));
        table.insert(K::from_bytes(&key), V::from_bytes(&value)).unwrap();
    }
}

pub fn multi<K: Key + Make + 'static, V: Key + Make + 'static>(
    txn: &WriteTransaction,
    name: &str,
    entries: &Entries,
) {
    let mut table = txn.open_multimap_table(MultimapTableDefinition::<K, V>::new(name)).unwrap();
    for (key, value) in entries {
        let (key, value) = (K::make(&key[..key.len() / 8]), V::make(value));
        table.insert(K::from_bytes(&key), V::from_bytes(&value)).unwrap();
    }
}

/// Takes out what [`plain`] puts in.
pub fn unplain<K: Key + Make + 'static, V: Make + 'static>(
    txn: &WriteTransaction,
    name: &str,
    entries: &Entries,
) {
    let mut table = txn.open_table(TableDefinition::<K, V>::new(name)).unwrap();
    for (key, _) in entries {
        table.remove(K::from_bytes(&K::make(key))).unwrap();
    }
}

/// Takes out what [`multi`] puts in.
pub fn unmulti<K: Key + Make + 'static, V: Key + Make + 'static>(
    txn: &WriteTransaction,
    name: &str,
    entries: &Entries,
) {
    let mut table = txn.open_multimap_table(MultimapTableDefinition::<K, V>::new(name)).unwrap();
    for (key, value) in entries {
        let (key, value) = (K::make(&key[..key.len() / 8]), V::make(value));
        table.remove(K::from_bytes(&key), V::from_bytes(&value)).unwrap();
    }
}

macro_rules! all_pairs {
    ($keys:tt) => { all_pairs!(@keys $keys $keys) };
    (@keys [$($key:ty),*] $values:tt) => { [$(all_pairs!(@values $key, $values)),*].concat() };
    (@values $key:ty, [$($value:ty),*]) => {
        vec![$(plain::<$key, $value> as Fill, multi::<$key, $value> as Fill),*]
    };
}

pub fn fills() -> Vec<Fill> {
    all_pairs!([i64, &'static [u8], (u32, String), Option<String>, Backwards, Seven])
        .into_iter()
        .chain([
            plain::<u8, [u16; 3]> as Fill,
            plain::<u128, bool>,
            plain::<(String, Backwards, u8), Borrowed>,
            multi::<Borrowed, u8>,
            multi::<bool, (String, Backwards, u8)>,
            plain::<[u16; 3], u128>,
        ])
        .collect()
}
