//! A service over redb that backs itself up. It is set by its environment:
//!
//! | | |
//! |---|---|
//! | `DATA` | the directory of `app.redb` and `backups`; required |
//! | `LISTEN` | where to listen, `127.0.0.1:8080` unless it says otherwise |
//! | `BACKUP_EVERY` | seconds between two backups, 3600; `0` for none on a schedule |
//! | `BACKUP_TOKEN` | who knows it may ask for a backup; without it nobody may |
//! | `PAIRS_TOKEN` | who knows it may read and change the data; without it everybody on this machine may, and `LISTEN` must be a loopback address |
//! | `HOSTS` | names under which the service is reached, with commas between them; `localhost` and addresses always are |
//! | `RESTORE` | a snapshot (`latest`, a name, an id) to begin with, if there is no database yet |
//! | `DRAIN` | seconds that the end waits for requests, and again for a backup, 10 |
//!
//! SIGTERM ends it: requests that are at work are answered, a backup that runs is waited for, or stopped if it takes
//! longer, and the database is closed.

mod backups;
mod metrics;
mod pairs;
mod routes;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use strongroom::{Repository, Restore};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use backups::Backups;
use pairs::Pairs;
use routes::{App, Tokens};

struct Settings {
    data: PathBuf,
    listen: String,
    every: Option<Duration>,
    tokens: Tokens,
    hosts: Vec<String>,
    restore: Option<String>,
    /// How long the end waits. A backup that is interrupted leaves the repository whole.
    drain: Duration,
}

impl Settings {
    fn from_env() -> Result<Self> {
        let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let seconds = |name, usual| match var(name) {
            Some(seconds) => seconds.parse().with_context(|| format!("{name} is a number of seconds")),
            None => Ok(usual),
        };
        let every = seconds("BACKUP_EVERY", 3600)?;
        Ok(Self {
            data: var("DATA").context("DATA names the directory of the database and its backups")?.into(),
            listen: var("LISTEN").unwrap_or_else(|| "127.0.0.1:8080".to_owned()),
            every: (every > 0).then(|| Duration::from_secs(every)),
            tokens: Tokens::new(var("BACKUP_TOKEN").as_deref(), var("PAIRS_TOKEN").as_deref()),
            hosts: var("HOSTS")
                .iter()
                .flat_map(|hosts| hosts.split(','))
                .map(|host| host.trim().to_owned())
                .collect(),
            restore: var("RESTORE"),
            drain: Duration::from_secs(seconds("DRAIN", 10)?),
        })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let settings = Settings::from_env()?;
    std::fs::create_dir_all(&settings.data)
        .with_context(|| format!("cannot make {}", settings.data.display()))?;
    let repository = Repository::at(settings.data.join("backups"))?;
    let file = settings.data.join("app.redb");
    if let Some(snapshot) = &settings.restore {
        restore(&repository, snapshot, &file)?;
    }
    let pairs = Arc::new(Pairs::open(&file)?);
    let backups = Arc::new(Backups::new(repository, Arc::clone(&pairs)));
    if settings.tokens.backup.is_none() {
        eprintln!("BACKUP_TOKEN is not set: nobody can ask for a backup");
    }
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let listener = listen(&settings).await?;
    let app = App::new(Arc::clone(&pairs), Arc::clone(&backups), settings.tokens, settings.hosts);
    println!("listening on {}", listener.local_addr()?);
    if let Some(every) = settings.every {
        tokio::spawn(schedule(Arc::clone(&pairs), Arc::clone(&backups), every));
    }
    let (ends, ending) = oneshot::channel();
    let served = serve::serve(listener, routes::router(app), async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        println!("draining");
        let _ = ends.send(());
    });
    let too_long = async {
        // Only ever an error where the server itself has failed.
        let _ = ending.await;
        tokio::time::sleep(settings.drain).await;
    };
    tokio::select! {
        () = served => {}
        () = too_long => println!("requests that are still at work are cut off"),
    }
    tokio::task::spawn_blocking(move || backups.end(settings.drain)).await?;
    println!("done");
    Ok(())
}

/// Listens, unless that would show the data to whoever can reach this machine.
async fn listen(settings: &Settings) -> Result<TcpListener> {
    let listener = TcpListener::bind(&settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    if settings.tokens.pairs.is_none() && !listener.local_addr()?.ip().is_loopback() {
        bail!(
            "LISTEN={} can be reached from other machines, and everybody there could read and change the data: set \
             PAIRS_TOKEN, or listen on 127.0.0.1",
            settings.listen
        );
    }
    Ok(listener)
}

/// Makes the database out of a snapshot. One that is there is never replaced.
fn restore(repository: &Repository, snapshot: &str, file: &PathBuf) -> Result<()> {
    if file.exists() {
        bail!("RESTORE={snapshot}, but {} is there already; move it away first", file.display());
    }
    let restored = repository.restore(snapshot, file, &Restore::new())?;
    println!("restored {}: {} entries", restored.snapshot.name, restored.snapshot.entries);
    Ok(())
}

/// Backs up every so often, if anything was written since the last time.
async fn schedule(pairs: Arc<Pairs>, backups: Arc<Backups>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    // A tick that comes late is not made up for.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if pairs.is_changed() {
            // One that runs already will do.
            let _ = backups.start("schedule");
        }
    }
}
