//! Types of the demo's application, which nobody else knows.

use std::cmp::Ordering;

use redb::{Key, TypeName, Value};

/// A number whose greatest comes first: an order of the application's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewestFirst(pub(super) u64);

impl Value for NewestFirst {
    type SelfType<'a> = Self;
    type AsBytes<'a> = [u8; 8];

    fn fixed_width() -> Option<usize> {
        Some(8)
    }

    fn from_bytes<'a>(data: &'a [u8]) -> Self
    where
        Self: 'a,
    {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(data);
        Self(u64::from_le_bytes(bytes))
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a Self) -> [u8; 8]
    where
        Self: 'b,
    {
        value.0.to_le_bytes()
    }

    fn type_name() -> TypeName {
        TypeName::new("demo::NewestFirst")
    }
}

impl Key for NewestFirst {
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        Self::from_bytes(b).0.cmp(&Self::from_bytes(a).0)
    }
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    pub(super) sensor: u32,
    pub(super) celsius: f32,
}

impl Value for Reading {
    type SelfType<'a> = Self;
    type AsBytes<'a> = [u8; 8];

    fn fixed_width() -> Option<usize> {
        Some(8)
    }

    fn from_bytes<'a>(data: &'a [u8]) -> Self
    where
        Self: 'a,
    {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(data);
        let [a, b, c, d, e, f, g, h] = bytes;
        Self { sensor: u32::from_le_bytes([a, b, c, d]), celsius: f32::from_le_bytes([e, f, g, h]) }
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a Self) -> [u8; 8]
    where
        Self: 'b,
    {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&value.sensor.to_le_bytes());
        bytes[4..].copy_from_slice(&value.celsius.to_le_bytes());
        bytes
    }

    fn type_name() -> TypeName {
        TypeName::new("demo::Reading")
    }
}
