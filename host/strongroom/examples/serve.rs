//! A small key-value server over redb that backs itself up while it serves.
//!
//! ```text
//! cargo run --release -p strongroom --example serve -- DIR [ADDRESS]
//! ```
//!
//! It keeps `app.redb` and `backups` in DIR and speaks lines of text: `set KEY VALUE`, `get KEY`, `backup`, `quit`. A
//! backup is also made every ten seconds, if anything was written since the last.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redb::{Database, ReadableDatabase, TableDefinition};
use strongroom::{Backup, LiveFile, Repository};

const PAIRS: TableDefinition<&str, &str> = TableDefinition::new("pairs");
const EVERY: Duration = Duration::from_secs(10);

struct App {
    db: Database,
    file: PathBuf,
    repository: Repository,
    writes: AtomicU64,
    /// How many writes the newest backup has seen. Held while one is made: two at once would exclude each other.
    saved: Mutex<Option<u64>>,
}

impl App {
    fn open(dir: &PathBuf) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(dir)?;
        let file = dir.join("app.redb");
        let db = Database::create(&file)?;
        let write = db.begin_write()?;
        write.open_table(PAIRS)?;
        write.commit()?;
        let repository = Repository::at(dir.join("backups"))?;
        Ok(Self { db, file, repository, writes: AtomicU64::new(0), saved: Mutex::new(None) })
    }

    fn set(&self, key: &str, value: &str) -> Result<(), redb::Error> {
        let write = self.db.begin_write()?;
        write.open_table(PAIRS)?.insert(key, value)?;
        write.commit()?;
        self.writes.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Option<String>, redb::Error> {
        let pairs = self.db.begin_read()?.open_table(PAIRS)?;
        Ok(pairs.get(key)?.map(|value| value.value().to_owned()))
    }

    /// Backs up what is there at this moment; writers go on meanwhile. With its file the database can tell what changed, so
    /// only that is read.
    fn back_up(&self) -> strongroom::Result<String> {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = self.writes.load(Ordering::Acquire);
        let snapshot = self.repository.backup(&LiveFile::new(&self.db, &self.file), &Backup::new())?;
        // Only after it succeeded; what was written meanwhile is for the next one.
        *saved = Some(writes);
        Ok(format!("{}: {} entries, {} bytes added", snapshot.name, snapshot.entries, snapshot.bytes_added))
    }

    fn is_changed(&self) -> bool {
        let saved = *self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        saved != Some(self.writes.load(Ordering::Acquire))
    }

    fn answer(&self, line: &str) -> Result<String, Box<dyn Error>> {
        let mut words = line.trim().splitn(3, ' ');
        Ok(match (words.next(), words.next(), words.next()) {
            (Some("set"), Some(key), Some(value)) => {
                self.set(key, value)?;
                "ok".to_owned()
            }
            (Some("get"), Some(key), None) => self.get(key)?.unwrap_or_else(|| "(nothing)".to_owned()),
            (Some("backup"), None, None) => self.back_up()?,
            _ => "say: set KEY VALUE | get KEY | backup | quit".to_owned(),
        })
    }

    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        let mut answers = connection.try_clone()?;
        for line in BufReader::new(connection).lines() {
            let line = line?;
            if line.trim() == "quit" {
                break;
            }
            let answer = self.answer(&line).unwrap_or_else(|e| format!("error: {e}"));
            writeln!(answers, "{answer}")?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().ok_or("usage: serve DIR [ADDRESS]")?);
    let listener = TcpListener::bind(args.next().as_deref().unwrap_or("127.0.0.1:7379"))?;
    let app = Arc::new(App::open(&dir)?);

    let timer = Arc::clone(&app);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(EVERY);
            if timer.is_changed() {
                match timer.back_up() {
                    Ok(made) => println!("{made}"),
                    Err(e) => eprintln!("no backup this time: {e}"),
                }
            }
        }
    });

    println!("serving {} on {}", dir.display(), listener.local_addr()?);
    for connection in listener.incoming() {
        let (connection, app) = (connection?, Arc::clone(&app));
        std::thread::spawn(move || {
            if let Err(e) = app.serve(connection) {
                eprintln!("connection: {e}");
            }
        });
    }
    Ok(())
}
