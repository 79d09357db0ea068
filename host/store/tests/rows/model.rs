//! Types, tables and entries, and how the bytes of an entry follow from what was told.

use proptest::prelude::*;
use strongroom_store::{Origin, Sink, Table, frame};

use crate::json::Json;

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Unit,
    Bool,
    Char,
    Int { signed: bool, width: usize },
    Float { width: usize },
    Str,
    Bytes,
    ByteArray(usize),
    User,
    Vec(Box<Kind>),
    Option(Box<Kind>),
    NonZero,
    Tuple(Vec<Kind>, bool),
    Array(Box<Kind>, usize),
}

impl Kind {
    /// As a table names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::User => "user:Own".to_owned(),
            Self::Tuple(_, true) if self.width().is_none() => format!("old:{}", self.inner_name()),
            _ => self.inner_name(),
        }
    }

    fn inner_name(&self) -> String {
        match self {
            Self::Unit => "()".into(),
            Self::Bool => "bool".into(),
            Self::Char => "char".into(),
            Self::Int { signed, width } => format!("{}{}", if *signed { 'i' } else { 'u' }, 8 * width),
            Self::Float { width } => format!("f{}", 8 * width),
            Self::Str => "&str".into(),
            Self::Bytes => "&[u8]".into(),
            Self::ByteArray(len) => format!("[u8;{len}]"),
            Self::User => unreachable!("is never in another"),
            Self::Vec(inner) => format!("Vec<{}>", inner.inner_name()),
            Self::Option(inner) => format!("Option<{}>", inner.inner_name()),
            Self::NonZero => "niche::Option<NonZeroU32>".into(),
            Self::Tuple(parts, _) => {
                let parts: Vec<String> = parts.iter().map(Self::inner_name).collect();
                format!("({})", parts.join(","))
            }
            Self::Array(inner, len) => format!("[{};{len}]", inner.inner_name()),
        }
    }

    fn width(&self) -> Option<usize> {
        Some(match self {
            Self::Unit => 0,
            Self::Bool => 1,
            Self::Char => 3,
            Self::Int { width, .. } | Self::Float { width } | Self::ByteArray(width) => *width,
            Self::NonZero => 4,
            Self::Str | Self::Bytes | Self::User | Self::Vec(_) => return None,
            Self::Option(inner) => 1 + inner.width()?,
            Self::Tuple(parts, _) => parts.iter().map(Self::width).sum::<Option<usize>>()?,
            Self::Array(inner, len) => inner.width()? * len,
        })
    }

    fn may_be_null(&self) -> bool {
        matches!(self, Self::Unit | Self::Option(_) | Self::NonZero)
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self, Self::Bool | Self::Char | Self::Int { .. } | Self::Float { .. } | Self::Str)
    }

    /// The bytes that were told as this.
    pub(crate) fn bytes(&self, json: &Json) -> Vec<u8> {
        if let Json::Object(_) = json {
            return unhex(json.get("hex").unwrap().text());
        }
        match (self, json) {
            (Self::Unit, Json::Null) => Vec::new(),
            (Self::Bool, Json::Bool(value)) => vec![u8::from(*value)],
            (Self::Char, Json::Text(text)) => {
                assert_eq!(text.chars().count(), 1);
                u32::from(text.chars().next().unwrap()).to_le_bytes()[..3].to_vec()
            }
            (Self::Int { signed, width }, Json::Number(digits)) => integer(digits, *signed, *width),
            (Self::Float { width: 4 }, Json::Number(digits)) => {
                (digits.parse::<f64>().unwrap() as f32).to_le_bytes().to_vec()
            }
            (Self::Float { .. }, Json::Number(digits)) => {
                digits.parse::<f64>().unwrap().to_le_bytes().to_vec()
            }
            (Self::Str, Json::Text(text)) => text.clone().into_bytes(),
            (Self::Bytes | Self::ByteArray(_) | Self::User, Json::Text(digits)) => unhex(digits),
            (Self::NonZero, Json::Null) => vec![0; 4],
            (Self::NonZero, Json::Number(digits)) => integer(digits, false, 4),
            (Self::Option(inner), Json::Null) => vec![0; 1 + inner.width().unwrap_or(0)],
            (Self::Option(inner), Json::List(some)) if inner.may_be_null() => {
                [vec![1], inner.bytes(&some[0])].concat()
            }
            (Self::Option(inner), some) => [vec![1], inner.bytes(some)].concat(),
            (Self::Vec(inner), Json::Text(digits))
                if matches!(**inner, Self::Int { signed: false, width: 1 }) =>
            {
                let bytes = unhex(digits);
                [len(bytes.len()), bytes].concat()
            }
            (Self::Vec(inner), Json::List(parts)) => {
                let mut all = len(parts.len());
                for part in parts {
                    let bytes = inner.bytes(part);
                    if inner.width().is_none() {
                        all.extend(len(bytes.len()));
                    }
                    all.extend(bytes);
                }
                all
            }
            (Self::Array(inner, _), Json::List(parts)) => {
                let parts: Vec<Vec<u8>> = parts.iter().map(|part| inner.bytes(part)).collect();
                let mut all = Vec::new();
                if inner.width().is_none() {
                    let mut end = 4 * parts.len();
                    for part in &parts {
                        end += part.len();
                        all.extend(u32::try_from(end).unwrap().to_le_bytes());
                    }
                }
                [all, parts.concat()].concat()
            }
            (Self::Tuple(kinds, old), Json::List(parts)) => {
                let parts: Vec<Vec<u8>> =
                    kinds.iter().zip(parts).map(|(kind, part)| kind.bytes(part)).collect();
                let mut all = Vec::new();
                for (kind, part) in kinds.iter().zip(&parts).take(kinds.len() - 1) {
                    match kind.width() {
                        _ if self.width().is_some() => {}
                        _ if *old => all.extend(u32::try_from(part.len()).unwrap().to_le_bytes()),
                        Some(_) => {}
                        None => all.extend(len(part.len())),
                    }
                }
                [all, parts.concat()].concat()
            }
            _ => panic!("{json:?} is no {self:?}"),
        }
    }

    /// Bytes that are stored as this; not exactly all that could be.
    fn stored(&self) -> BoxedStrategy<Vec<u8>> {
        let any_bytes = |len: usize| proptest::collection::vec(any::<u8>(), len..=len).boxed();
        match self {
            Self::Bool => (0..2_u8).prop_map(|byte| vec![byte]).boxed(),
            Self::Char => any::<char>().prop_map(|c| u32::from(c).to_le_bytes()[..3].to_vec()).boxed(),
            Self::Float { width: 8 } => prop_oneof![
                any::<f64>(),
                Just(-0.0),
                Just(f64::NAN),
                Just(f64::INFINITY),
                Just(1.0),
                Just(0.1)
            ]
            .prop_map(|number| number.to_le_bytes().to_vec())
            .boxed(),
            Self::Float { .. } => any::<f32>().prop_map(|number| number.to_le_bytes().to_vec()).boxed(),
            Self::Str => any::<String>().prop_map(String::into_bytes).boxed(),
            Self::Bytes | Self::User => proptest::collection::vec(any::<u8>(), 0..600).boxed(),
            Self::Option(inner) => {
                let none = vec![0; 1 + inner.width().unwrap_or(0)];
                prop_oneof![Just(none), inner.stored().prop_map(|some| [vec![1], some].concat())].boxed()
            }
            Self::Vec(inner) => {
                let fixed = inner.width().is_some();
                let part = inner
                    .stored()
                    .prop_map(move |part| if fixed { part } else { [len(part.len()), part].concat() });
                proptest::collection::vec(part, 0..5)
                    .prop_map(|parts| [len(parts.len()), parts.concat()].concat())
                    .boxed()
            }
            Self::Tuple(kinds, old) => {
                let (old, fixed) = (*old, self.width().is_some());
                let widths: Vec<Option<usize>> = kinds.iter().map(Self::width).collect();
                let parts: Vec<_> = kinds.iter().map(Self::stored).collect();
                parts
                    .prop_map(move |parts| {
                        let mut all = Vec::new();
                        for (part, width) in parts.iter().zip(&widths).take(parts.len() - 1) {
                            if !fixed && old {
                                all.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
                            } else if width.is_none() {
                                all.extend(len(part.len()));
                            }
                        }
                        [all, parts.concat()].concat()
                    })
                    .boxed()
            }
            Self::Array(inner, number) => {
                let fixed = inner.width().is_some();
                let number = *number;
                proptest::collection::vec(inner.stored(), number..=number)
                    .prop_map(move |parts| {
                        let (mut all, mut end) = (Vec::new(), 4 * number);
                        for part in &parts {
                            end += part.len();
                            if !fixed {
                                all.extend(u32::try_from(end).unwrap().to_le_bytes());
                            }
                        }
                        [all, parts.concat()].concat()
                    })
                    .boxed()
            }
            _ => any_bytes(self.width().unwrap_or(0)),
        }
    }

    /// Bytes that may be anything. Of fixed width, redb holds no others.
    fn hostile(&self) -> BoxedStrategy<Vec<u8>> {
        match self.width() {
            Some(width) => {
                proptest::collection::vec(prop_oneof![0..3_u8, any::<u8>()], width..=width).boxed()
            }
            None => proptest::collection::vec(prop_oneof![0..6_u8, 250..=255_u8, any::<u8>()], 0..40).boxed(),
        }
    }
}

/// As redb writes lengths.
fn len(len: usize) -> Vec<u8> {
    match u32::try_from(len).unwrap() {
        len @ 0..254 => vec![len as u8],
        len @ 254..0x1_0000 => [&[254][..], &(len as u16).to_le_bytes()].concat(),
        len => [&[255][..], &len.to_le_bytes()].concat(),
    }
}

pub(crate) fn integer(digits: &str, signed: bool, width: usize) -> Vec<u8> {
    let bytes = if signed {
        digits.parse::<i128>().unwrap().to_le_bytes()
    } else {
        digits.parse::<u128>().unwrap().to_le_bytes()
    };
    bytes[..width].to_vec()
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2));
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Unit),
        Just(Kind::Bool),
        Just(Kind::Char),
        (any::<bool>(), 0..5_u32).prop_map(|(signed, width)| Kind::Int { signed, width: 1 << width }),
        Just(Kind::Float { width: 4 }),
        Just(Kind::Float { width: 8 }),
        Just(Kind::Str),
        Just(Kind::Bytes),
        (0..5_usize).prop_map(Kind::ByteArray),
        Just(Kind::NonZero),
    ];
    let any = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Kind::Vec(Box::new(inner))),
            inner.clone().prop_map(|inner| Kind::Option(Box::new(inner))),
            (inner.clone(), 1..4_usize).prop_map(|(inner, len)| match inner {
                // That is another way to spell the same.
                Kind::Int { signed: false, width: 1 } => Kind::ByteArray(len),
                inner => Kind::Array(Box::new(inner), len),
            }),
            proptest::collection::vec(inner, 2..4).prop_map(|parts| Kind::Tuple(parts, false)),
        ]
    });
    prop_oneof![
        8 => any.clone(),
        1 => Just(Kind::User),
        // Old through and through.
        1 => proptest::collection::vec(any, 2..4).prop_map(|parts| Kind::Tuple(parts, true)).prop_filter(
            "one tuple in another is of the same age",
            |kind| !format!("{kind:?}").contains("false)"),
        ),
    ]
}

pub(crate) type Entry = (Vec<u8>, Vec<u8>);

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) multimap: bool,
    pub(crate) key: Kind,
    pub(crate) value: Kind,
    pub(crate) entries: Vec<Entry>,
}

impl Model {
    fn table(&self) -> Table {
        Table {
            name: self.name.clone(),
            multimap: self.multimap,
            entries: self.entries.len() as u64,
            bytes_about: 0,
            key_type: self.key.name(),
            value_type: self.value.name(),
            identity: Vec::new(),
        }
    }
}

fn model() -> impl Strategy<Value = Model> {
    (kind(), kind(), any::<bool>()).prop_flat_map(|(key, value, multimap)| {
        let bytes = |kind: &Kind| prop_oneof![4 => kind.stored(), 1 => kind.hostile()];
        let entries = proptest::collection::vec((bytes(&key), bytes(&value)), 0..12);
        entries.prop_map(move |mut entries| {
            // Each key once, or each pair.
            let mut seen = std::collections::HashSet::new();
            entries.retain(|(key, value)| seen.insert((key.clone(), multimap.then(|| value.clone()))));
            Model { name: String::new(), multimap, key: key.clone(), value: value.clone(), entries }
        })
    })
}

/// Names as nobody should choose them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        proptest::sample::select(vec![
            "",
            "users",
            "USERS",
            "Users",
            "sqlite_master",
            "SQLite_x",
            "strongroom",
            "strongroom_tables",
            "a\0b",
            "\"",
            "\"; DROP TABLE users; --",
            "'",
            "[x]",
            "`",
            "select",
            "table_1",
            "table_2",
            "main.users",
            "é",
            "É",
            "\u{202e}",
            "\n",
            " ",
            "rowid",
            "pragma_table_info",
            "json_each",
        ])
        .prop_map(str::to_owned),
        Just("n".repeat(10_000)),
    ]
}

/// Tables of a store, each name once.
pub(crate) fn tables() -> impl Strategy<Value = Vec<Model>> {
    proptest::collection::vec((name(), model()), 0..6).prop_map(|tables| {
        let mut tables: Vec<Model> =
            tables.into_iter().map(|(name, model)| Model { name, ..model }).collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables.dedup_by(|a, b| a.name == b.name);
        tables
    })
}

pub(crate) fn origin() -> Origin {
    Origin {
        name: "app-\"1\"".into(),
        id: "ab".repeat(32),
        source: "app".into(),
        time: 1_769_854_500,
        position: Some(u64::MAX),
        labels: vec![("left-behind".into(), "savepoints".into())],
    }
}

/// Fills a sink, in pieces of `max`.
pub(crate) fn fill(mut sink: Box<dyn Sink>, tables: &[Model], max: usize) -> strongroom_store::Result<()> {
    sink.create(b"a template of whatever store")?;
    for model in tables {
        sink.table(&model.table())?;
        let mut packed = Vec::new();
        for (key, value) in &model.entries {
            frame::push(&mut packed, key, value)?;
        }
        for piece in packed.chunks(max) {
            sink.append(piece)?;
        }
        assert_eq!(sink.finish_table()?, model.entries.len() as u64);
    }
    sink.finish()?;
    sink.describe(&origin())?;
    sink.publish()
}
