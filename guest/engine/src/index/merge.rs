//! Brings the index up to date: new packs in, lost ones out, small files together.
//!
//! The new file is durable under its name before the ones that it replaces are taken away.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use super::file::{IndexFile, IndexWriter, Numbered, replaced_by};
use super::{DIR, Index, losses, names};
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::pack::{self, Entry, Pack};
use crate::progress::{Level, Progress};
use crate::vault::{Vault, check_answers, is_unreadable};

/// Entries of packs that are sorted in memory at a time.
const IN_MEMORY: u64 = 1 << 19;

/// What the index should come to say.
#[derive(Default)]
pub(crate) struct Change {
    /// Packs to take in; those that are not whole count for what can be found in them.
    pub(crate) packs: Vec<Id>,
    /// Packs to take in that must be whole.
    pub(crate) needed: Vec<Id>,
    /// Packs of which index files say what is no longer true: what they say of them is dropped.
    pub(crate) lost: HashSet<Id>,
    /// Packs that the index knows, in which what it says no more may lie too: it names one place of an object. Nothing else
    /// that their lists name is taken in, for it may have been left out.
    pub(crate) also: BTreeSet<Id>,
    /// Packs that go because nothing of theirs is needed any more: what index files say of them is dropped too.
    pub(crate) gone: HashSet<Id>,
    /// Objects that were found damaged in these packs: no more is said of them.
    pub(crate) bad: HashSet<(Id, Id)>,
    /// Index files, by name, that cannot be trusted: taken away at the end.
    pub(crate) broken: HashSet<String>,
    /// Index files, by name, that cannot be read: they stay as they are.
    pub(crate) unreadable: HashSet<String>,
    /// Index files, by name, that become one with what comes.
    pub(crate) together: HashSet<String>,
    /// All becomes one file.
    pub(crate) whole: bool,
    /// How often the new file would have had the name of one that cannot be read.
    pub(crate) taken: u64,
}

/// Changes the index.
pub(crate) fn update(vault: &dyn Vault, mut change: Change) -> Result<()> {
    if !change.lost.is_empty() || !change.bad.is_empty() || !change.broken.is_empty() {
        losses::note(vault)?;
    }
    // The same is done with both.
    change.lost.extend(change.gone.drain());
    loop {
        match try_update(vault, &change) {
            Err(Failed::File(file, wrong)) => {
                // It cannot be replaced, so it must not go on saying what is not so.
                let says_wrong = |pack: &Pack| {
                    change.lost.contains(&pack.id) || change.bad.iter().any(|(_, bad)| *bad == pack.id)
                };
                if wrong.is_unreadable() && file.packs.iter().any(says_wrong) {
                    let what = "it names objects that are lost, and has to be replaced: move it away, nothing is lost with it";
                    return Err(Error::new(wrong.code, format!("{wrong}; {what}")));
                }
                // What the damaged file said comes from its packs instead.
                let named = file.packs.iter().map(|pack| pack.id);
                change.packs.extend(named.filter(|id| !change.lost.contains(id)));
                if wrong.is_unreadable() {
                    if !change.unreadable.insert(file.name) {
                        return Err(wrong);
                    }
                    continue;
                }
                if !change.broken.insert(file.name) {
                    return Err(wrong);
                }
                losses::note(vault)?;
            }
            Err(Failed::Taken) => change.taken += 1,
            Err(Failed::Run(e)) => return Err(e),
            Ok(()) => return Ok(()),
        }
    }
}

/// The packs to be looked at also when something is dropped. Those of which the list cannot be read count as lost too: the
/// next writer takes in what they hold.
pub(crate) fn others(
    vault: &dyn Vault,
    index: &Index,
    lost: &mut HashSet<Id>,
    progress: &dyn Progress,
) -> Result<BTreeSet<Id>> {
    let mut others: BTreeSet<Id> = index.packs().map(|pack| pack.id).collect();
    others.retain(|id| !lost.contains(id));
    for id in &others {
        match pack::entries(vault, *id) {
            Err(e) if e.is_unreadable() => {
                check_answers(vault, pack::DIR, &e)?;
                progress.log(Level::Warn, &format!("{e}; the index does not know it, and it stays as it is"));
                lost.insert(*id);
            }
            _ => {}
        }
    }
    others.retain(|id| !lost.contains(id));
    Ok(others)
}

enum Failed {
    /// This index file is damaged.
    File(Box<IndexFile>, crate::Error),
    /// The new file would take the place of one that cannot be read.
    Taken,
    Run(crate::Error),
}

impl From<crate::Error> for Failed {
    fn from(e: crate::Error) -> Self {
        Failed::Run(e)
    }
}

fn try_update(vault: &dyn Vault, change: &Change) -> Result<(), Failed> {
    let Change { packs, needed, also, lost, broken, unreadable, together: chosen, whole, taken, .. } = change;
    // Files that this run writes on the way: what they say is true, also of packs that other files say wrong things of.
    let mut fresh = HashSet::new();
    let mut known: Vec<(Pack, Vec<Entry>)> = Vec::new();
    let mut waiting = 0;
    let needed: BTreeSet<Id> = needed.iter().copied().collect();
    let packs: BTreeSet<Id> = packs.iter().copied().chain(needed.iter().copied()).collect();
    for id in packs {
        if needed.contains(&id) {
            known.push(pack::entries(vault, id)?);
        } else {
            match pack::entries_or_salvage(vault, id) {
                // What is not in it any more is written again if it is needed.
                Ok((pack, _)) if pack.objects == 0 => continue,
                Ok(found) => known.push(found),
                Err(e) if e.code == Code::NotFound || e.is_unreadable() => continue,
                Err(e) => return Err(e.into()),
            }
        }
        waiting += known.last().map_or(0, |(pack, _)| u64::from(pack.objects));
        if waiting >= IN_MEMORY {
            let known = std::mem::take(&mut known);
            fresh.extend(write(vault, known, Vec::new(), Vec::new(), &fresh, &[], change)?);
            waiting = 0;
        }
    }
    let mut files = Vec::new();
    let counts = |name: &String| !broken.contains(name) && !unreadable.contains(name);
    for name in names(vault)?.into_iter().filter(|name| fresh.contains(name) || counts(name)) {
        match IndexFile::open(vault, &name) {
            // It is left to whoever finds it damaged again.
            Err(e) if e.is_spoilt() => {}
            file => files.push(file?),
        }
    }
    // What is said of a lost pack is dropped.
    let lame = |file: &IndexFile| {
        !fresh.contains(&file.name) && file.packs.iter().any(|pack| lost.contains(&pack.id))
    };
    let together: Vec<IndexFile> =
        files.into_iter().filter(|file| *whole || lame(file) || chosen.contains(&file.name)).collect();
    let replaced: Vec<String> =
        together.iter().map(|file| file.name.clone()).chain(broken.iter().cloned()).collect();
    // What this run wrote on the way no snapshot knows of.
    let old: Vec<&IndexFile> = together.iter().filter(|file| !fresh.contains(&file.name)).collect();
    let mut listed = replaced_by(&old, broken);
    // No file is called so, and this one is called otherwise by it.
    listed.extend(1..=*taken);
    let new = if known.is_empty() && together.is_empty() {
        None
    } else {
        let mut others = Vec::new();
        let dropped = if also.is_empty() { HashSet::new() } else { dropped(&together, change) };
        for id in also.iter().filter(|id| !dropped.is_empty() && !lost.contains(id)) {
            match pack::entries_or_salvage(vault, *id) {
                // A list is let go but for what is looked for: all lists together may be large.
                Ok((pack, list)) => {
                    let list: Vec<Entry> =
                        list.into_iter().filter(|entry| dropped.contains(&entry.id)).collect();
                    others.extend((!list.is_empty()).then_some((pack, list)));
                }
                Err(e) if e.code == Code::NotFound => {}
                Err(e) => return Err(e.into()),
            }
        }
        write(vault, known, others, together, &fresh, &listed, change)?
    };
    let mut removed = false;
    for name in replaced.iter().filter(|name| Some(*name) != new.as_ref()) {
        // It was found damaged, but what cannot be read stays.
        match IndexFile::open(vault, name) {
            Err(e) if broken.contains(name) && e.is_unreadable() => return Err(e.into()),
            _ => {}
        }
        match vault.remove(&format!("{DIR}/{name}")) {
            Ok(()) => removed = true,
            Err(e) if e.code == Code::NotFound => {}
            Err(e) => return Err(e.into()),
        }
    }
    if removed {
        vault.sync_dir(DIR)?;
    }
    Ok(())
}

/// The objects of which these files name a place that does not count any more. A file that cannot be gone through says so
/// when it is merged.
fn dropped(files: &[IndexFile], Change { lost, bad, .. }: &Change) -> HashSet<Id> {
    let mut dropped = HashSet::new();
    for file in files {
        for block in (0..file.blocks()).map_while(|number| file.block(number).ok()) {
            let names_no_more = |(entry, pack): &Numbered| {
                let pack = file.packs[*pack as usize].id;
                lost.contains(&pack) || bad.contains(&(entry.id, pack))
            };
            dropped.extend(block.entries().into_iter().filter(names_no_more).map(|(entry, _)| entry.id));
        }
    }
    dropped
}

/// Where sorted entries come from. What comes first in the list of sources wins where several have the same id.
enum Source {
    Pack {
        entries: std::vec::IntoIter<Entry>,
        number: u32,
        /// Counts for what the others say no more.
        also: bool,
    },
    File {
        file: Box<IndexFile>,
        next: u64,
        block: std::vec::IntoIter<Numbered>,
        numbers: Vec<Option<u32>>,
    },
}

/// An entry, and the number of its pack if that is not lost.
type Said = (Entry, Option<u32>);

impl Source {
    fn next(&mut self) -> Result<Option<Said>> {
        match self {
            Source::Pack { entries, number, .. } => Ok(entries.next().map(|entry| (entry, Some(*number)))),
            Source::File { file, next, block, numbers } => loop {
                if let Some((entry, pack)) = block.next() {
                    return Ok(Some((entry, numbers[pack as usize])));
                }
                if *next == file.blocks() {
                    return Ok(None);
                }
                *block = file.block(*next)?.entries().into_iter();
                *next += 1;
            },
        }
    }
}

/// What is said of one object.
#[derive(Default)]
struct Places {
    known: Vec<Numbered>,
    also: Vec<Numbered>,
    /// A place of it does not count any more.
    dropped: bool,
}

impl Places {
    fn chosen(&mut self) -> &mut [Numbered] {
        if self.known.is_empty() && self.dropped { &mut self.also } else { &mut self.known }
    }
}

/// Merges packs and index files into one new file. `None`: nothing is left to say.
fn write(
    vault: &dyn Vault,
    packs: Vec<(Pack, Vec<Entry>)>,
    also: Vec<(Pack, Vec<Entry>)>,
    files: Vec<IndexFile>,
    fresh: &HashSet<String>,
    replaced: &[u64],
    Change { lost, bad, needed, .. }: &Change,
) -> Result<Option<String>, Failed> {
    let holds = |file: &IndexFile, pack: &Pack| fresh.contains(&file.name) || !lost.contains(&pack.id);
    let mut all: Vec<Pack> = packs.iter().map(|(pack, _)| *pack).collect();
    // What this run has read comes before what others say, here and below.
    for of_this_run in [true, false] {
        let files = files.iter().filter(|file| fresh.contains(&file.name) == of_this_run);
        all.extend(files.flat_map(|file| file.packs.iter().filter(|pack| holds(file, pack))));
    }
    // Stable: what was just read of a pack comes before what index files say.
    all.sort_by_key(|pack| pack.id);
    all.dedup_by_key(|pack| pack.id);
    let numbers: HashMap<Id, u32> = (0..).zip(&all).map(|(number, pack)| (pack.id, number)).collect();

    // The head says how many entries come, so they are gone through twice.
    let open = |files: Vec<IndexFile>| {
        let of = |packs: &[(Pack, Vec<Entry>)], also| -> Vec<Source> {
            let source = |(pack, entries): &(Pack, Vec<Entry>)| {
                let number = *numbers.get(&pack.id)?;
                Some(Source::Pack { entries: entries.clone().into_iter(), number, also })
            };
            packs.iter().filter_map(source).collect()
        };
        let mut sources = of(&packs, false);
        sources.extend(of(&also, true));
        for file in files {
            let number = |pack: &Pack| numbers.get(&pack.id).copied().filter(|_| holds(&file, pack));
            let numbers = file.packs.iter().map(number).collect();
            sources.push(Source::File {
                file: Box::new(file),
                next: 0,
                block: Vec::new().into_iter(),
                numbers,
            });
        }
        sources
    };
    let is_bad =
        |entry: &Entry, pack: u32| !bad.is_empty() && bad.contains(&(entry.id, all[pack as usize].id));
    let mut left_out = HashSet::new();
    let note = |entry: &Entry, pack: u32| {
        let bad = is_bad(entry, pack);
        if bad {
            left_out.insert((entry.id, pack));
        }
        !bad
    };
    let (sources, count) = merge(open(files), note, |_, _| Worth::Sound, |_, _| Ok(()))?;
    // Of packs of which it has nothing to say it says just that: their lists are not to be believed.
    if all.is_empty() {
        return Ok(None);
    }
    let files = sources.into_iter().filter_map(|source| match source {
        Source::File { file, .. } => Some(*file),
        Source::Pack { .. } => None,
    });
    let files = files.collect();
    let path = format!("{DIR}/tmp-index");
    // A try before this one may have left it.
    match vault.remove(&path) {
        Err(e) if e.code != Code::NotFound => return Err(e.into()),
        _ => {}
    }
    // A pack counts without what is left out of it: so a list with more shows that something is.
    let mut counted = all.clone();
    for (_, pack) in left_out {
        let objects = &mut counted[pack as usize].objects;
        *objects = objects.saturating_sub(1);
    }
    // What this run wrote was checked as it was written; what cannot be read may be sound, and is better than nothing.
    let sound = |entry: &Entry, pack: u32| {
        let id = all[pack as usize].id;
        if needed.contains(&id) {
            return Worth::Sound;
        }
        match pack::stored(vault, id, entry) {
            Ok(Some(_)) => Worth::Sound,
            Err(_) => Worth::Unknown,
            Ok(None) => Worth::Nothing,
        }
    };
    let counts = |entry: &Entry, pack: u32| !is_bad(entry, pack);
    let file = vault.create(&path)?;
    let written = || -> Result<Id, Failed> {
        let mut writer = IndexWriter::new(file, &counted, replaced, count)?;
        merge(open(files), counts, sound, |entry, pack| writer.push(entry, pack))?;
        Ok(writer.finish()?)
    };
    let name = written().inspect_err(|_| {
        // What is unfinished takes room, of which there may be none; otherwise the next writer removes it.
        let _ = vault.remove(&path);
    })?;
    let name = name.hex();
    let named = format!("{DIR}/{name}");
    if is_unreadable(vault, &named) {
        return Err(Failed::Taken);
    }
    vault.rename(&path, &named)?;
    vault.sync_dir(DIR)?;
    Ok(Some(name))
}

/// Hands out those entries of all sources that count in the order of their ids, each id once; gives back the sources and
/// how many there were.
fn merge(
    mut sources: Vec<Source>,
    mut counts: impl FnMut(&Entry, u32) -> bool,
    mut sound: impl FnMut(&Entry, u32) -> Worth,
    mut take: impl FnMut(&Entry, u32) -> Result<()>,
) -> Result<(Vec<Source>, u64), Failed> {
    let mut heads: Vec<Option<Said>> = Vec::with_capacity(sources.len());
    let mut heap = BinaryHeap::new();
    for at in 0..sources.len() {
        let head = match sources[at].next() {
            Ok(head) => head,
            Err(e) => return Err(failed(sources.swap_remove(at), e)),
        };
        heap.extend(head.map(|(entry, _)| Reverse((entry.id, at))));
        heads.push(head);
    }
    let mut count = 0;
    while let Some(Reverse((id, _))) = heap.peek().copied() {
        let mut places = Places::default();
        while let Some(Reverse((_, at))) = heap.peek().copied().filter(|Reverse((of, _))| *of == id) {
            heap.pop();
            match heads[at] {
                Some((entry, Some(pack))) if counts(&entry, pack) => {
                    let also = matches!(sources[at], Source::Pack { also: true, .. });
                    let places = if also { &mut places.also } else { &mut places.known };
                    if !places.contains(&(entry, pack)) {
                        places.push((entry, pack));
                    }
                }
                _ => places.dropped = true,
            }
            heads[at] = match sources[at].next() {
                Ok(head) => head,
                Err(e) => return Err(failed(sources.swap_remove(at), e)),
            };
            heap.extend(heads[at].map(|(entry, _)| Reverse((entry.id, at))));
        }
        let chosen = places.chosen();
        if !chosen.is_empty() {
            let (entry, pack) = best(chosen, &mut sound);
            take(&entry, pack)?;
            count += 1;
        }
    }
    Ok((sources, count))
}

/// Of several places of an object the sound one where it has the least depth, for whatever may rest on another may rest on
/// it; of those that are alike the first.
fn best(places: &mut [Numbered], sound: &mut impl FnMut(&Entry, u32) -> Worth) -> Numbered {
    if places.len() > 1 {
        places.sort_by_key(|(entry, _)| entry.mark.depth());
        let mut unknown = None;
        for place in places.iter() {
            match sound(&place.0, place.1) {
                Worth::Sound => return *place,
                Worth::Unknown => unknown = unknown.or(Some(*place)),
                Worth::Nothing => {}
            }
        }
        if let Some(unknown) = unknown {
            return unknown;
        }
    }
    places[0]
}

/// What a place of an object is worth.
enum Worth {
    Sound,
    Unknown,
    Nothing,
}

fn failed(source: Source, e: crate::Error) -> Failed {
    match source {
        Source::File { file, .. } if e.is_spoilt() => Failed::File(file, e),
        _ => Failed::Run(e),
    }
}
