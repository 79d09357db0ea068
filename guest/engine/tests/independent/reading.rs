//! Reading: sections 1, 5 to 9 and 12.

use std::cell::RefCell;

use serde_json::Value;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::*;

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) file: Value,
    pub(crate) template: Vec<u8>,
    pub(crate) tables: Vec<Table>,
}

pub(crate) struct Repository<'f> {
    files: &'f Files,
    /// Objects that were asked for.
    asked: RefCell<Vec<Id>>,
    /// Kind, level and content.
    objects: BTreeMap<Id, (u8, u8, Vec<u8>)>,
    /// Where each lies: pack, offset, length, mark.
    places: BTreeMap<Id, (Id, u32, u32, u64)>,
}

fn in_dir<'f>(files: &'f Files, dir: &'f str) -> impl Iterator<Item = (&'f str, &'f [u8])> {
    files
        .iter()
        .filter_map(move |(path, content)| Some((path.strip_prefix(dir)?.strip_prefix('/')?, &content[..])))
}

impl<'f> Repository<'f> {
    pub(crate) fn open(files: &'f Files) -> Self {
        let about: Value = serde_json::from_slice(&files["repository.json"]).unwrap();
        assert_eq!((&about["format"], &about["version"]), (&"strongroom".into(), &1.into()));
        let mut repository = Self::empty(files);
        for (name, pack) in in_dir(files, "packs") {
            repository.read_pack(id_of_hex(name), pack);
        }
        for id in repository.places.keys().copied().collect::<Vec<_>>() {
            repository.read(id);
        }
        repository
    }

    fn empty(files: &'f Files) -> Self {
        Self { files, asked: RefCell::default(), objects: BTreeMap::new(), places: BTreeMap::new() }
    }

    /// Reads an object, after what it rests on.
    fn read(&mut self, id: Id) {
        let (pack, offset, len, mark) = self.places[&id];
        let stored = &self.files[&format!("packs/{}", hex(&pack))][offset as usize..][..len as usize];
        let depth = stored[7];
        let mut expected = [0; 8];
        let mut base = None;
        if depth > 0 {
            let id: Id = stored[56..88].try_into().unwrap();
            assert!(self.places[&id].3.to_le_bytes()[7] < depth, "a base has a lesser depth");
            expected[..7].copy_from_slice(&id[..7]);
            expected[7] = depth;
            if !self.objects.contains_key(&id) {
                self.read(id);
            }
            base = Some(&self.objects[&id]);
        }
        assert_eq!(mark.to_le_bytes(), expected);
        let base = base.map(|(kind, level, content)| (*kind, *level, &content[..]));
        self.objects.insert(id, read_object(id, stored, base));
    }

    /// Which depths there are.
    pub(crate) fn depths(&self) -> std::collections::BTreeSet<u8> {
        self.places.values().map(|place| place.3.to_le_bytes()[7]).collect()
    }

    /// Section 7.
    fn read_pack(&mut self, name: Id, pack: &[u8]) {
        let mut trailer = Fields(&pack[pack.len() - 16..]);
        assert_eq!(trailer.take(8), b"SRpack01");
        let count = trailer.u32() as usize;
        assert_eq!(trailer.u32(), 0);
        let list_at = pack.len() - 16 - 48 * count;
        assert_eq!(keyed("strongroom 1 pack", 0, &pack[list_at..]), name);
        let mut list = Fields(&pack[list_at..]);
        let (mut last, mut covered) = (None, Vec::new());
        for _ in 0..count {
            let (id, offset, len, mark) = (list.id(), list.u32(), list.u32(), list.u64());
            assert!(last < Some(id));
            last = Some(id);
            covered.push((offset as usize, len as usize));
            self.places.insert(id, (name, offset, len, mark));
        }
        covered.sort_unstable();
        let end = covered.iter().fold(0, |end, (offset, len)| {
            assert_eq!(*offset, end, "objects lie end to end");
            end + len
        });
        assert_eq!(end, list_at);
    }

    /// Section 8: every index file says what the packs say, and together they say all of it.
    pub(crate) fn check_index(&self) {
        let mut named = BTreeMap::new();
        for (name, file) in in_dir(self.files, "index").filter(|(name, _)| name.len() == 64) {
            assert_eq!(keyed("strongroom 1 index", 0, file), id_of_hex(name));
            let mut fields = Fields(file);
            assert_eq!(fields.take(8), b"SRindex1");
            let (packs, replaced, entries) = (fields.u32(), fields.u32(), fields.u64());
            assert!(replaced <= 1000);
            let packs: Vec<Id> = (0..packs)
                .map(|_| {
                    let (id, len, objects) = (fields.id(), fields.u64(), fields.u32());
                    assert_eq!(self.files[&format!("packs/{}", hex(&id))].len() as u64, len);
                    assert_eq!(self.places.values().filter(|place| place.0 == id).count(), objects as usize);
                    id
                })
                .collect();
            assert!(packs.is_sorted_by(|a, b| a < b));
            let replaced: std::collections::BTreeSet<u64> = (0..replaced).map(|_| fields.u64()).collect();
            assert!(!replaced.contains(&u64::from_le_bytes(id_of_hex(name)[..8].try_into().unwrap())));
            let head = file.len() - fields.0.len();
            assert_eq!(fields.u64(), xxh3_64(&file[..head]));
            let (mut left, mut last) = (entries, None);
            while left > 0 {
                let here = left.min(78);
                left -= here;
                let block = fields.take(here as usize * 52);
                assert_eq!(fields.u64(), xxh3_64(block));
                let mut block = Fields(block);
                for _ in 0..here {
                    let (id, offset, len, mark, pack) =
                        (block.id(), block.u32(), block.u32(), block.u64(), block.u32());
                    assert!(last < Some(id));
                    last = Some(id);
                    assert_eq!(self.places[&id], (packs[pack as usize], offset, len, mark));
                    named.insert(id, ());
                }
            }
            assert!(fields.0.is_empty());
        }
        assert!(named.keys().eq(self.places.keys()));
    }

    fn content(&self, kind: u8, level: u8, id: &Id) -> &[u8] {
        self.asked.borrow_mut().push(*id);
        let (found_kind, found_level, content) = &self.objects[id];
        assert_eq!((*found_kind, *found_level), (kind, level));
        content
    }

    /// Section 9.
    pub(crate) fn snapshots(&self) -> BTreeMap<String, Snapshot> {
        let files = in_dir(self.files, "snapshots")
            .filter_map(|(file, text)| Some((file.strip_suffix(".json")?, text)));
        files.map(|(name, text)| (name.to_owned(), self.snapshot(name, text))).collect()
    }

    fn snapshot(&self, name: &str, text: &[u8]) -> Snapshot {
        let text = text.strip_prefix(b"{\"checksum\":\"").unwrap();
        let rest = text[64..].strip_prefix(b"\",").unwrap();
        assert_eq!(&text[..64], blake3::hash(rest).to_hex().as_bytes());
        let file: Value = serde_json::from_slice(&[b"{", rest].concat()).unwrap();
        assert_eq!((&file["format"], &file["name"]), (&1.into(), &name.into()));
        let id = id_of_hex(file["id"].as_str().unwrap());
        let root = file["root"].as_object().map(|root| {
            let number = |member: &str| root[member].as_u64().unwrap();
            let (items, rank) = (number("items") as u32, number("rank") as u8);
            let reference = Reference { id, items, entries: number("entries"), bytes: number("bytes"), rank };
            (number("level") as u8, reference)
        });
        let mut tables: Vec<Table> =
            self.entries(CATALOG, root.as_ref()).iter().map(|entry| self.table(entry)).collect();
        if root.is_none() {
            assert_eq!(id, keyed(LABELS[2], 0, &[]));
        }
        let pieces = file["schema"].as_array().unwrap().iter().map(|id| id_of_hex(id.as_str().unwrap()));
        let schema: Vec<u8> = pieces.flat_map(|id| self.content(SCHEMA, 0, &id).to_vec()).collect();
        let mut schema = Fields(&schema);
        let mut next = || {
            let len = schema.u32() as usize;
            schema.take(len).to_vec()
        };
        let template = next();
        for table in &mut tables {
            table.types = (String::from_utf8(next()).unwrap(), String::from_utf8(next()).unwrap());
        }
        assert!(schema.0.is_empty());
        let sum = |of: fn(&Table) -> usize| tables.iter().map(of).sum::<usize>();
        assert_eq!(file["tables"], tables.len());
        assert_eq!(file["entries"], sum(|table| table.entries.len()));
        assert_eq!(file["bytes"], sum(|table| table.entries.iter().map(|(k, v)| k.len() + v.len()).sum()));
        assert_eq!(id_of_tables(&tables).0, id, "the id of {name} is that of what it holds");
        Snapshot { file, template, tables }
    }

    /// Section 5.
    fn table(&self, (name, value): &Entry) -> Table {
        let mut fields = Fields(value);
        let flags = fields.u8();
        assert!(flags < 4);
        let len = fields.u32() as usize;
        let identity = fields.take(len).to_vec();
        let (count, bytes) = (fields.u64(), fields.u64());
        let root = (flags & 2 != 0).then(|| (fields.u8(), Reference::read(&mut fields)));
        assert!(fields.0.is_empty());
        let entries = self.entries(NODE, root.as_ref());
        assert_eq!(entries.len() as u64, count);
        assert_eq!(entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() as u64, bytes);
        let name = String::from_utf8(name.clone()).unwrap();
        Table { name, multimap: flags & 1 != 0, identity, types: Default::default(), entries }
    }

    /// Section 5, tracking data: by table, the stamp and the entries of the baseline; none without it. It must be there.
    pub(crate) fn tracking(&self, snapshot: &Snapshot) -> BTreeMap<String, (Vec<u8>, Option<Vec<Entry>>)> {
        let tracking = &snapshot.file["tracking"];
        if tracking.is_null() {
            return BTreeMap::new();
        }
        let number = |member: &str| tracking["root"][member].as_u64().unwrap();
        let root = Reference {
            id: id_of_hex(tracking["id"].as_str().unwrap()),
            items: number("items") as u32,
            entries: number("entries"),
            bytes: number("bytes"),
            rank: number("rank") as u8,
        };
        let root = (number("level") as u8, root);
        assert!(tracking["full_scan"].is_u64() && tracking["increments"].is_u64());
        assert_eq!(
            tracking["losses"],
            in_dir(self.files, "index")
                .map(|(name, _)| name)
                .filter(|name| name.starts_with("lost-"))
                .collect::<Vec<_>>()
                .join(" ")
        );
        let entries = self.entries(TRACKING, Some(&root));
        assert_eq!(root_of(&entries, false, TRACKING).unwrap(), root);
        let tracked = |(name, value): &Entry| {
            let mut fields = Fields(value);
            let flags = fields.u8();
            let len = usize::from(u16::from_le_bytes(fields.take(2).try_into().unwrap()));
            let stamp = fields.take(len).to_vec();
            let id = fields.id();
            let root = (flags & 2 != 0).then(|| (fields.u8(), Reference::read(&mut fields)));
            assert!(fields.0.is_empty() && [0, 1, 3].contains(&flags));
            let baseline = self.entries(BASELINE, root.as_ref());
            assert_eq!(root_of(&baseline, true, BASELINE), root);
            let name = String::from_utf8(name.clone()).unwrap();
            let table = snapshot.tables.iter().find(|table| table.name == name).unwrap();
            let root = root_of(&table.entries, table.multimap, NODE);
            assert_eq!(id, root.map_or_else(|| keyed(LABELS[1], 0, &[]), |(_, root)| root.id));
            (name, (stamp, (flags & 1 != 0).then_some(baseline)))
        };
        entries.iter().map(tracked).collect()
    }

    /// The entries below a node.
    fn entries(&self, kind: u8, root: Option<&(u8, Reference)>) -> Vec<Entry> {
        let Some((level, node)) = root else { return Vec::new() };
        let content = self.content(kind, *level, &node.id);
        if *level == 0 {
            return self.items(content);
        }
        let mut fields = Fields(content);
        let mut entries = Vec::new();
        while !fields.0.is_empty() {
            entries.extend(self.entries(kind, Some(&(level - 1, Reference::read(&mut fields)))));
        }
        assert_eq!(entries.len() as u64, node.entries);
        entries
    }

    /// Section 3.
    fn items(&self, content: &[u8]) -> Vec<Entry> {
        let mut fields = Fields(content);
        let mut entries = Vec::new();
        while !fields.0.is_empty() {
            let (key_len, value_len) = (fields.u32(), fields.u32() as usize);
            if key_len != u32::MAX {
                entries.push((fields.take(key_len as usize).to_vec(), fields.take(value_len).to_vec()));
                continue;
            }
            let mut body = Fields(fields.take(value_len));
            let (key_len, value_len) = (body.u32() as usize, body.u32() as usize);
            let mut field = |len: usize| {
                if len <= PIECE {
                    return body.take(len).to_vec();
                }
                let ids = body.take(len.div_ceil(PIECE) * 32).chunks(32);
                let bytes: Vec<u8> =
                    ids.flat_map(|id| self.content(BLOB, 0, id.try_into().unwrap()).to_vec()).collect();
                assert_eq!(bytes.len(), len);
                bytes
            };
            entries.push((field(key_len), field(value_len)));
            assert!(body.0.is_empty());
        }
        entries
    }
}

/// Section 12: what an archive of the snapshot of this name holds.
pub(crate) fn archive(name: &str, archive: &[u8]) -> Snapshot {
    let mut fields = Fields(archive);
    assert_eq!((fields.take(8), fields.u32()), (&b"SRarchiv"[..], 1));
    let len = fields.u32() as usize;
    let file = fields.take(len);
    let files = Files::new();
    let mut repository = Repository::empty(&files);
    let mut ids = Vec::new();
    while fields.0.starts_with(b"SRo1") {
        let len = 56 + u32::from_le_bytes(fields.0[12..16].try_into().unwrap()) as usize;
        let stored = fields.take(len);
        let id: Id = stored[16..48].try_into().unwrap();
        repository.objects.insert(id, read_object(id, stored, None));
        ids.push(id);
    }
    assert_eq!((fields.take(8), fields.u64()), (&b"SRarcend"[..], ids.len() as u64));
    assert!(fields.0.is_empty());
    let snapshot = repository.snapshot(name, file);
    assert!(snapshot.file["tracking"].is_null());
    // They lie in the order in which this reader asks for them, but for the schema, which it asks for last.
    let mut asked = repository.asked.take();
    asked.rotate_right(snapshot.file["schema"].as_array().unwrap().len());
    assert_eq!(ids, asked);
    snapshot
}

/// Section 6: kind, level and content of an object, with those of its base.
pub(crate) fn read_object(id: Id, stored: &[u8], base: Option<(u8, u8, &[u8])>) -> (u8, u8, Vec<u8>) {
    let (header, payload) = stored.split_at(56);
    let mut fields = Fields(header);
    assert_eq!(fields.take(4), b"SRo1");
    let (kind, level, encoding, depth) = (fields.u8(), fields.u8(), fields.u8(), fields.u8());
    let (content_len, payload_len) = (fields.u32() as usize, fields.u32() as usize);
    assert_eq!(payload_len, payload.len());
    assert_eq!(fields.id(), id);
    assert_eq!(fields.u64(), xxh3_64_with_seed(payload, xxh3_64(&header[..48])));
    let unsnap = |block: &[u8]| snap::raw::Decoder::new().decompress_vec(block).unwrap();
    let content = match (encoding, base) {
        (0, None) => payload.to_vec(),
        (1, None) => unsnap(payload),
        (2 | 3, Some((base_kind, base_level, base))) => {
            assert_eq!((base_kind, base_level), (kind, level));
            let script = if encoding == 2 { payload[32..].to_vec() } else { unsnap(&payload[32..]) };
            apply(&script, base)
        }
        other => panic!("encoding {other:?}"),
    };
    assert_eq!(depth > 0, encoding > 1);
    assert!(depth <= 8);
    assert_eq!(content.len(), content_len);
    assert_eq!(keyed(LABELS[usize::from(kind)], level, &content), id);
    (kind, level, content)
}

/// Section 6: what an edit script makes.
pub(crate) fn apply(script: &[u8], base: &[u8]) -> Vec<u8> {
    let (mut script, mut base, mut content) = (Fields(script), Fields(base), Vec::new());
    while !script.0.is_empty() {
        let (mut number, mut shift) = (0usize, 0);
        loop {
            let byte = script.u8();
            number |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                break;
            }
        }
        let n = number / 4;
        assert!(n > 0 && shift <= 28);
        match number % 4 {
            0 => content.extend(base.take(n)),
            1 => drop(base.take(n)),
            2 => content.extend(script.take(n)),
            _ => {
                base.take(n);
                content.extend(script.take(n));
            }
        }
    }
    content
}
