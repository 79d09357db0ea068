//! What runs the component, and where.

use super::*;

pub(super) const ACCOUNTS: TableDefinition<&str, u64> = TableDefinition::new("accounts");
pub(super) const BLOBS: TableDefinition<u32, &[u8]> = TableDefinition::new("blobs");
pub(super) const TAGS: MultimapTableDefinition<&str, u64> = MultimapTableDefinition::new("tags");

/// What runs components.
pub(super) enum Runtime {
    /// The `wasmtime` command, and the component compiled by it.
    Command { program: PathBuf, compiled: PathBuf },
    /// Python with the `wasmtime` package.
    Python { program: PathBuf, component: PathBuf },
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// Found or made once.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasmtime");
        fs::create_dir_all(&dir).unwrap();
        let component = dir.join("strongroom.wasm");
        fs::write(&component, strongroom_composed::COMMAND).unwrap();
        let program = std::env::var_os("WASMTIME").map_or_else(|| "wasmtime".into(), PathBuf::from);
        if succeeds(Command::new(&program).arg("--version")) {
            let compiled = dir.join("strongroom.cwasm");
            let mut compile = Command::new(&program);
            assert!(succeeds(compile.arg("compile").arg(&component).arg("-o").arg(&compiled)));
            return Runtime::Command { program, compiled };
        }
        let venv = dir.join("venv");
        let program = venv.join("bin/python");
        if !succeeds(Command::new(&program).args(["-c", "import wasmtime.component"])) {
            assert!(
                succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv))
                    && succeeds(Command::new(&program).args(["-m", "pip", "install", "wasmtime>=48,<49"])),
                "neither the wasmtime command (cargo install wasmtime-cli --version '~48.0') nor its PyPI package is here"
            );
        }
        Runtime::Python { program, component }
    })
}

/// A directory with `data/app.redb` and an empty `backups`.
pub(super) struct Place {
    pub(super) dir: TempDir,
}

pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Place {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Self { dir };
        fs::create_dir(place.path("data")).unwrap();
        place.empty("backups");
        let db = Database::create(place.path("data/app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        {
            let mut accounts = txn.open_table(ACCOUNTS).unwrap();
            for i in 0..20_000_u64 {
                accounts.insert(format!("account-{i:05}").as_str(), 1000).unwrap();
            }
            let mut blobs = txn.open_table(BLOBS).unwrap();
            blobs.insert(1, &[0xff, 0x00, 0x0a][..]).unwrap();
            blobs.insert(2, noise(2, 3_000_000).as_slice()).unwrap();
            let mut tags = txn.open_multimap_table(TAGS).unwrap();
            for i in 0..500 {
                tags.insert(if i % 2 == 0 { "even" } else { "odd" }, i).unwrap();
            }
        }
        txn.commit().unwrap();
        place
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new directory that nobody else sees.
    pub(super) fn empty(&self, name: &str) {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().mode(0o700).create(self.path(name)).unwrap();
    }

    /// `wasmtime run` with these directories, and the line of the command after the file.
    pub(super) fn command(&self, dirs: &[&str], args: &str) -> Command {
        let grants = dirs.iter().flat_map(|dir| ["--dir", dir]);
        let (program, before, file): (_, &[&OsStr], _) = match runtime() {
            Runtime::Command { program, compiled } => {
                (program, &["run".as_ref(), "--allow-precompiled".as_ref()], compiled)
            }
            Runtime::Python { program, component } => {
                (program, &[concat!(env!("CARGO_MANIFEST_DIR"), "/wasmtime/run.py").as_ref()], component)
            }
        };
        let mut command = Command::new(program);
        command.args(before).args(grants).arg(file).args(args.split_whitespace());
        if !args.contains("help") {
            command.args(["--repo", "backups"]);
        }
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(super) fn run_with(&self, dirs: &[&str], args: &str) -> Ran {
        Ran::of(&mut self.command(dirs, args))
    }

    pub(super) fn run(&self, args: &str) -> Ran {
        self.run_with(&["data", "backups"], args)
    }

    pub(super) fn ok(&self, args: &str) -> String {
        let ran = self.run(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args}");
        ran.stdout
    }

    pub(super) fn json(&self, args: &str) -> Vec<Value> {
        let lines = self.ok(&format!("{args} --json"));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails as the library does, with its words but for the directory above.
    pub(super) fn fails_as<T>(&self, args: &str, code: i32, natively: Result<T>) {
        let error = natively.err().unwrap().to_string();
        let words = error.replace(&format!("{}/", self.dir.path().display()), "");
        let ran = self.run(args);
        assert_eq!(
            (ran.code, ran.stderr.trim_end()),
            (Some(code), format!("error: {words}").as_str()),
            "{args}"
        );
    }

    pub(super) fn fails(&self, dirs: &[&str], args: &str, code: i32, words: &[&str]) -> String {
        let ran = self.run_with(dirs, args);
        assert_eq!(ran.code, Some(code), "{args}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{args}: {word:?} is not in {:?}", ran.stderr);
        }
        ran.stderr
    }

    pub(super) fn repository(&self) -> Repository {
        repository(self.path("backups"))
    }

    /// A backup by the library, as the native command makes it.
    pub(super) fn native_backup(&self, file: &str, name: &str) -> Result<strongroom::Snapshot> {
        let store = std::sync::Arc::new(RedbStore::open(&self.path(file)).map_err(Error::from)?);
        self.repository().backup(&store, &Backup::new().name(name).source("app").accept(true))
    }
}

impl Ran {
    pub(super) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
