//! What fails, and what was asked for.

use std::error::Error;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wildmatch::WildMatch;

use crate::op::Op;

/// One way to fail.
struct Rule {
    op: Op,
    paths: WildMatch,
    bytes: Range<u64>,
    errno: i32,
}

/// How the file system behaves.
#[derive(Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// Shown as the mode bits of everything.
    pub(crate) mode: Option<u16>,
    calls: Vec<(Op, String)>,
}

pub(crate) type Shared = Arc<Mutex<Rules>>;

pub(crate) fn locked(rules: &Shared) -> MutexGuard<'_, Rules> {
    rules.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rules {
    /// Notes the call; fails if a rule says so.
    pub(crate) fn ask(&mut self, op: Op, path: &Path, bytes: Range<u64>) -> io::Result<()> {
        let path = path.to_string_lossy().into_owned();
        let fits = |rule: &&Rule| {
            rule.op == op
                && rule.bytes.start < bytes.end
                && bytes.start < rule.bytes.end
                && rule.paths.matches(&path)
        };
        let errno = self.rules.iter().find(fits).map(|rule| rule.errno);
        self.calls.push((op, path));
        errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    /// Does what a line says.
    pub(crate) fn obey(&mut self, line: &str) -> Result<String, Box<dyn Error>> {
        let words: Vec<&str> = line.split('\t').collect();
        match words.as_slice() {
            ["fail", op, paths, start, end, errno] => self.rules.push(Rule {
                op: parse(op)?,
                paths: WildMatch::new(paths),
                bytes: start.parse()?..end.parse()?,
                errno: errno.parse()?,
            }),
            ["heal"] => self.rules.clear(),
            ["mode", mode] => self.mode = Some(mode.parse()?),
            ["forget"] => self.calls.clear(),
            ["calls", op, paths] => {
                let (op, paths) = (parse(op)?, WildMatch::new(paths));
                let count = self.calls.iter().filter(|call| call.0 == op && paths.matches(&call.1)).count();
                return Ok(count.to_string());
            }
            _ => return Err(format!("this is no order: {line:?}").into()),
        }
        Ok("ok".to_owned())
    }
}

fn parse(name: &str) -> Result<Op, String> {
    Op::ALL.into_iter().find(|op| format!("{op:?}") == name).ok_or_else(|| format!("no such call: {name}"))
}
