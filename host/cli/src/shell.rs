//! `completions` and `man`: what shells and `man` know of the command line, made from the command line itself.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::ValueEnum as _;
use clap_complete::Shell;
use strongroom_command::{Out, Session, command_line};

use crate::native::Native;

/// The command's name.
const NAME: &str = "strongroom";

#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
EXAMPLES:
    strongroom completions bash > ~/.local/share/bash-completion/completions/strongroom
    strongroom completions zsh > ~/.zfunc/_strongroom        with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc
    strongroom completions fish > ~/.config/fish/completions/strongroom.fish"
)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom man ~/.local/share/man/man1       a page for each verb
    strongroom man | man -l -                    the first of them, to be read now")]
pub(crate) struct Man {
    /// Write all pages to this directory, in the place of those that are there; without it, the first is printed
    dir: Option<PathBuf>,
}

pub(crate) fn completions(args: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line::<Native>(), NAME, &mut script);
    if args.shell == Shell::Fish {
        // clap_complete knows the values of options only; here fish would offer files.
        let shells = Shell::value_variants().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        writeln!(
            script,
            "complete -c {NAME} -n \"__fish_{NAME}_using_subcommand completions\" -f -a \"{shells}\""
        )?;
    }
    print(&script)
}

pub(crate) fn man(session: &Session<'_>, args: &Man) -> anyhow::Result<()> {
    let command = command_line::<Native>();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return print(&page);
    };
    let dir = session.expand(dir)?;
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    clap_mangen::generate_to(command, &dir).with_context(|| format!("cannot write to {}", dir.display()))?;
    session.say(format!("manual pages in {}", dir.display()))
}

/// A reader that has seen enough ends this without an error.
fn print(bytes: &[u8]) -> anyhow::Result<()> {
    Ok(Out.write_all(bytes)?)
}
